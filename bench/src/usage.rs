//! Resource usage of a process according to the kernel's `/proc`: CPU time and memory of this process or another of
//! the same user.

use std::fs;
use std::io;
use std::time::Duration;

/// A process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub u32);

impl Process {
    /// Returns this process.
    pub(crate) fn this() -> Self {
        Self(std::process::id())
    }

    /// Returns the user and system CPU time of its threads, in nanoseconds. Threads that have ended are not included:
    /// take the difference of two times between which no thread ends.
    pub(crate) fn cpu(self) -> io::Result<Duration> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.0))? {
            let file = thread?.path().join("schedstat");
            // A thread may end between the two reads; its file is gone then.
            let Ok(text) = fs::read_to_string(file) else { continue };
            nanoseconds += text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Returns the current memory in bytes.
    pub(crate) fn memory(self) -> io::Result<u64> {
        self.status("VmRSS:")
    }

    /// Returns the peak memory in bytes.
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
