//! How much of this machine is ours: processors and memory, cgroup limits (v1 and v2) included.

use std::fs;
use std::thread;

/// Processors this process may use.
pub fn available_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Bytes of memory this process may use: the least of the machine's and its cgroups' limits.
pub fn available_memory() -> u64 {
    let machine = read("/proc/meminfo").and_then(|t| parse_meminfo(&t)).unwrap_or(4 << 30);
    let v2 = read("/sys/fs/cgroup/memory.max").and_then(|t| parse_limit(&t));
    let v1 = read("/sys/fs/cgroup/memory/memory.limit_in_bytes").and_then(|t| parse_limit(&t));
    [v2, v1].into_iter().flatten().fold(machine, u64::min)
}

/// Bytes resident now and at most so far, as the kernel counts them.
pub fn resident_memory() -> (u64, u64) {
    let status = read("/proc/self/status").unwrap_or_default();
    (parse_kb(&status, "VmRSS:").unwrap_or(0), parse_kb(&status, "VmHWM:").unwrap_or(0))
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn parse_meminfo(text: &str) -> Option<u64> {
    parse_kb(text, "MemTotal:")
}

fn parse_kb(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kb: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kb * 1024)
}

/// A cgroup's limit; `max` means none, and so does the huge number version 1 shows instead, which
/// the minimum with the machine's memory takes care of.
fn parse_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Parses a size as Spark writes it (`512m`, `8g`, `1024`, `2GiB`): units are powers of 1024.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(format!("`{text}` is no size: write a number and k, m, g or t")),
    };
    let number: f64 = number.parse().map_err(|_| format!("`{text}` is no size: it starts with no number"))?;
    let bytes = number * f64::from(1u32 << (shift % 30)) * if shift >= 30 { f64::from(1 << 30) } else { 1.0 };
    if bytes < 1.0 || bytes > 2f64.powi(60) {
        return Err(format!("`{text}` is out of range"));
    }
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |text: &str, expect: Option<u64>| assert_eq!(parse_size(text).ok(), expect, "{text}");
        check("1024", Some(1024));
        check("1k", Some(1 << 10));
        check("512MB", Some(512 << 20));
        check("8g", Some(8 << 30));
        check("1.5 GiB", Some(3 << 29));
        check("2t", Some(2 << 40));
        check("", None);
        check("g", None);
        check("8 elephants", None);
        check("0", None);
        check("99999999t", None);
    }

    #[test]
    fn kernel_files() {
        assert_eq!(parse_meminfo("MemTotal:       2048 kB\nMemFree: 1 kB"), Some(2 << 20));
        assert_eq!(parse_limit("max\n"), None);
        assert_eq!(parse_limit("1073741824\n"), Some(1 << 30));
        assert_eq!(parse_kb("VmPeak: 9 kB\nVmRSS:\t  10 kB\n", "VmRSS:"), Some(10 << 10));
    }
}
