//! Asks the C library's allocator to return free memory to the system. This is the project's only unsafe code.

/// Returns free memory to the system. Otherwise glibc keeps everything below the last block in use, which after a burst
/// of traffic is nearly all of it, for ever.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back() {
    let began = std::time::Instant::now();
    // SAFETY: it takes a number, touches only what the allocator owns, and any thread may call it at any time.
    #[expect(unsafe_code, reason = "no safe function does this")]
    let released = unsafe { libc::malloc_trim(0) };
    let what = if released == 1 { "returned memory to the system" } else { "there was no memory to return" };
    log::debug!("a burst is over: {what} ({:?})", began.elapsed());
}

/// Other allocators may not need this, and it is not known how to ask them.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
