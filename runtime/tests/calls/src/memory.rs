//! The memory of a test program.

/// Returns the peak memory of this process in bytes. Source: `proc_pid_status(5)`, `VmHWM`.
///
/// # Panics
/// The system is not Linux.
#[must_use]
pub fn peak() -> u64 {
    status("VmHWM:")
}

/// Returns the memory that this process has now, in bytes. Source: `proc_pid_status(5)`, `VmRSS`.
///
/// # Panics
/// The system is not Linux.
#[must_use]
pub fn resident() -> u64 {
    status("VmRSS:")
}

fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("it has been there for long");
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("it is a number");
    kib * 1024
}
