//! x
pub fn means(code: u32, message: &str, path: &str) -> bool {
    let _ = (code, message, path);
    true
}
