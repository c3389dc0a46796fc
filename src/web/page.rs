//! The chat page and the client library for browsers. They are compiled in.

/// A file of the page.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// The path of its address.
    pub path: &'static str,
    /// The value of its header Content-Type.
    pub content_type: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
}

/// Every file.
pub const FILES: [File; 5] = [
    File { path: "/", content_type: "text/html; charset=utf-8", bytes: include_bytes!("page/index.html") },
    File { path: "/chat.css", content_type: "text/css; charset=utf-8", bytes: include_bytes!("page/chat.css") },
    File { path: "/chat.js", content_type: JAVASCRIPT, bytes: include_bytes!("page/chat.js") },
    File { path: "/roster.js", content_type: JAVASCRIPT, bytes: include_bytes!("page/roster.js") },
    File { path: "/cubby.js", content_type: JAVASCRIPT, bytes: include_bytes!("page/cubby.js") },
];

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The headers of every file. The page may load its own files and connect to its own hub, and no other page may frame
/// it. Browsers check for a new version each time: another hub may be at this address by then.
pub const HEADERS: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; \
                           connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                           frame-ancestors 'none'\r\n\
                           Referrer-Policy: no-referrer\r\n\
                           Cache-Control: no-cache\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_takes_nothing_from_elsewhere() {
        let size: usize = FILES.iter().map(|file| file.bytes.len()).sum();
        assert!((1000..80_000).contains(&size), "{size} bytes");
        for file in &FILES {
            let text = str::from_utf8(file.bytes).expect("text");
            assert!(!text.contains("innerHTML") && !text.contains("src=\"http"), "{}", file.path);
        }
    }
}
