//! What a process uses, as the kernel tells it in `/proc`: CPU time and memory, of this process or another of the same user.

use std::fs;
use std::io;
use std::time::Duration;

/// A process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub u32);

impl Process {
    /// This one.
    pub(crate) fn this() -> Self {
        Self(std::process::id())
    }

    /// The CPU time of its threads, user and system, to the nanosecond. Threads that have ended are not in it: take the
    /// difference of two times between which none ends.
    pub(crate) fn cpu(self) -> io::Result<Duration> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.0))? {
            let file = thread?.path().join("schedstat");
            // A thread may end between the two reads, and has no file then.
            let Ok(text) = fs::read_to_string(file) else { continue };
            nanoseconds += text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Its memory now, in bytes.
    pub(crate) fn memory(self) -> io::Result<u64> {
        self.status("VmRSS:")
    }

    /// The most memory that it ever had, in bytes.
    pub(crate) fn peak_memory(self) -> io::Result<u64> {
        self.status("VmHWM:")
    }

    fn status(self, key: &str) -> io::Result<u64> {
        let file = format!("/proc/{}/status", self.0);
        let text = fs::read_to_string(&file)?;
        kibibytes(&text, key)
            .map(|count| count << 10)
            .ok_or_else(|| io::Error::other(format!("no {key} in {file}")))
    }
}

fn kibibytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let status = "Name:\tcat\nVmHWM:\t    2196 kB\nVmRSS:\t    2104 kB\n";
        assert_eq!(kibibytes(status, "VmHWM:"), Some(2196));
        assert_eq!(kibibytes(status, "VmRSS:"), Some(2104));
        assert_eq!(kibibytes(status, "VmSwap:"), None);
    }

    #[test]
    fn this_process_uses_something() -> io::Result<()> {
        let this = Process::this();
        assert!(this.memory()? > 0 && this.peak_memory()? >= this.memory()? / 2);
        this.cpu().map(drop)
    }
}
