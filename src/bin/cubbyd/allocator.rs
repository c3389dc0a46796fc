//! What the C library's allocator is asked for: to give memory back. The one place of the project with unsafe code.

/// Gives the system back what is free. glibc keeps whatever lies below the last piece in use: after a burst of traffic
/// that is nearly all of it, for good.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn give_back() {
    let began = std::time::Instant::now();
    // SAFETY: it takes a number, touches nothing but what the allocator owns, and may be called by any thread at any
    // time.
    #[expect(unsafe_code, reason = "no safe function does this")]
    let released = unsafe { libc::malloc_trim(0) };
    let what = if released == 1 { "given back" } else { "was given back before" };
    log::debug!("a burst is over: memory {what} in {:?}", began.elapsed());
}

/// It is not known how to ask other allocators, or whether that is needed.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
