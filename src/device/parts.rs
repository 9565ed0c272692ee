//! How much is computed at once: in parts that a device has room for, one begun before the other is finished where that pays.

use super::{ComputeDevice, Failure, GPU_TILE};
use crate::error::{Error, Result};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::atomic::Ordering;

impl ComputeDevice {
    /// [`Self::in_parts`] for sampling: what had no room is not tried again by later calls.
    ///
    /// # Errors
    /// As [`Self::in_parts`].
    pub fn sample_in_parts<T>(
        &self,
        count: usize,
        size: usize,
        compute: impl FnMut(Range<usize>) -> Result<T, Failure>,
        each: impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let had_room = self.in_parts(count, size, compute, each)?;
        if had_room < size {
            self.sampled.fetch_min(had_room, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Computes the items `0..count` in parts of at most `size` and hands every result to `each`, in order. A part that the
    /// device has no room for is tried again in halves, as long as these need less. Returns the size that had room.
    ///
    /// # Errors
    /// What `each` returns, or [`Error::Device`] once the device is lost or a single item fails.
    pub fn in_parts<T>(
        &self,
        count: usize,
        size: usize,
        compute: impl FnMut(Range<usize>) -> Result<T, Failure>,
        each: impl FnMut(T) -> Result<()>,
    ) -> Result<usize> {
        let compute = RefCell::new(compute);
        let begin = |part| || (compute.borrow_mut())(part);
        self.in_parts_ahead(count, size, false, begin, each)
    }

    /// [`Self::in_parts`] of parts that are begun and then finished. With `ahead` a part is begun before the one before it is finished:
    /// the device works on the one while the host works on the other.
    ///
    /// # Errors
    /// As [`Self::in_parts`].
    pub fn in_parts_ahead<T, F: FnOnce() -> Result<T, Failure>>(
        &self,
        count: usize,
        size: usize,
        ahead: bool,
        mut begin: impl FnMut(Range<usize>) -> F,
        mut each: impl FnMut(T) -> Result<()>,
    ) -> Result<usize> {
        let (mut size, mut done) = (size.max(1), 0);
        let mut next = None;
        while done < count {
            let part = done..count.min(done + size);
            let finish = next.take().unwrap_or_else(|| begin(part.clone()));
            let after = part.end..count.min(part.end + size);
            if ahead && !after.is_empty() {
                next = Some(begin(after));
            }
            match finish() {
                Ok(result) => {
                    each(result)?;
                    done = part.end;
                }
                Err(failure) if part.len() > self.least() && !failure.is_final() => {
                    // What was begun after it needs memory, and would be too large, too.
                    next = None;
                    self.device.memory_cleanup();
                    size = part.len() / 2;
                }
                Err(failure) => return Err(self.failed(&failure, part.len())),
            }
        }
        Ok(size)
    }

    /// Items that need as much memory as fewer of them.
    fn least(&self) -> usize {
        if self.is_cpu() { 1 } else { GPU_TILE }
    }

    /// The error for a device that gave up.
    fn failed(&self, Failure(reason): &Failure, size: usize) -> Error {
        let reason = reason.split_whitespace().collect::<Vec<&str>>().join(" ");
        let smaller = match size > self.least() {
            true => format!(
                "a run goes on from what was written, with less memory by the same command and --set \
                 train.batch.micro_batch={}; ",
                size / 2
            ),
            false => String::new(),
        };
        Error::Device {
            name: self.name.clone(),
            rule: format!("computing failed on {size} configurations at once: {reason}"),
            hint: format!("{smaller}--device cpu needs none of the device's memory"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without looking ahead a part is finished before the next is begun; with it the next one is begun first. Neither loses a part when
    /// one has no room.
    #[test]
    fn a_part_is_begun_before_the_one_before_it_is_finished() {
        let order = |ahead: bool, room: usize| {
            let (events, mut seen) = (RefCell::new(Vec::new()), Vec::new());
            let begin = |part: Range<usize>| {
                events.borrow_mut().push(format!("begin {}", part.start));
                let events = &events;
                move || {
                    events.borrow_mut().push(format!("end {}", part.start));
                    if part.len() > room { Err(Failure("no room".into())) } else { Ok(part) }
                }
            };
            let keep = |part| {
                seen.extend(part);
                Ok(())
            };
            let size = ComputeDevice::cpu().in_parts_ahead(6, 2, ahead, begin, keep).unwrap();
            assert_eq!((size, seen), (room.min(2), (0..6).collect()));
            events.into_inner().join(", ")
        };
        assert_eq!(order(false, 2), "begin 0, end 0, begin 2, end 2, begin 4, end 4");
        assert_eq!(order(true, 2), "begin 0, begin 2, end 0, begin 4, end 2, end 4");
        assert!(
            order(true, 1).starts_with("begin 0, begin 2, end 0, begin 0, begin 1, end 0, begin 2, end 1")
        );
    }

    /// A device with room for five items at once, which no machine at hand can be made to have.
    #[test]
    fn what_has_no_room_is_taken_in_halves_and_nothing_is_lost_or_repeated() {
        let roomy =
            |part: Range<usize>| if part.len() > 5 { Err(Failure("no room".into())) } else { Ok(part) };
        let mut seen = Vec::new();
        let keep = |part| {
            seen.extend(part);
            Ok(())
        };
        let device = ComputeDevice::cpu();
        let size = device.in_parts(70, 32, roomy, keep);
        assert_eq!((size.unwrap(), seen), (4, (0..70).collect()));
        // Sampling remembers it, but not the size of a flow that had room.
        let remembered = |size| {
            device.sample_in_parts(70, size, roomy, |_| Ok(())).unwrap();
            device.sampled.load(Ordering::Relaxed)
        };
        assert_eq!([remembered(5), remembered(32)], [usize::MAX, 4]);
        let mut attempts = 0;
        let smaller = "--set train.batch.micro_batch=16; --device cpu";
        for (reason, expected, hint) in [("no room", 6, "--device cpu"), ("it is poisoned", 1, smaller)] {
            let fail = |_| {
                attempts += 1;
                Err::<(), _>(Failure(reason.into()))
            };
            let error = ComputeDevice::cpu().in_parts(70, 32, fail, |()| Ok(())).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(hint), "{error}");
            assert_eq!(std::mem::take(&mut attempts), expected, "{reason}");
        }
    }
}
