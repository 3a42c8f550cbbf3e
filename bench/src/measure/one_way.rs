//! One-way calls. The count is that of received calls: the time ends when the last call was received, which the
//! server reports through its control thread.

use std::time::{Duration, Instant};

use super::Task;
use crate::Failure;
use crate::control::Control;
use crate::load::Rate;
use crate::sample::Reading;

/// Measures `send`, which makes calls for a given time and returns their number. Blocks its thread while it waits for
/// the server.
pub(crate) fn one_way(
    task: &Task,
    mut send: impl FnMut(Duration) -> Result<u64, Failure>,
) -> Result<Vec<Reading>, Failure> {
    let mut control = task.control()?;
    round(&mut control, task.window.warm_up, &mut send)?;
    let rate = round(&mut control, task.window.length, &mut send)?;
    Ok(vec![Reading::new(task.measure.name(), rate.per_second(), "calls/s")])
}

fn round(
    control: &mut Control,
    time: Duration,
    send: &mut impl FnMut(Duration) -> Result<u64, Failure>,
) -> Result<Rate, Failure> {
    let before = control.received(0)?;
    let start = Instant::now();
    let made = send(time)?;
    let count = control.received(before + made)? - before;
    if count != made {
        return Err(format!("{made} calls were made, but {count} arrived").into());
    }
    Ok(Rate { count, time: start.elapsed() })
}
