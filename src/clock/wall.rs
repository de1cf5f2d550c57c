//! Who is told when the machine's wall clock was set.
//!
//! On Linux, with feature `wall-clock`, one thread of the process blocks on a `timerfd` that the kernel cancels when the
//! clock is set, also by waking from a suspend. It starts with the first watcher and then stays. Elsewhere nobody
//! tells, and alarms look again by themselves.

use std::task::Waker;

#[cfg(all(feature = "wall-clock", target_os = "linux"))]
pub(super) use watched::{Watch, watch};

/// Nobody tells.
#[cfg(not(all(feature = "wall-clock", target_os = "linux")))]
#[derive(Debug)]
pub(super) enum Watch {}

#[cfg(not(all(feature = "wall-clock", target_os = "linux")))]
pub(super) fn watch(_: &Waker) -> Option<Watch> {
    None
}

#[cfg(all(feature = "wall-clock", target_os = "linux"))]
mod watched {
    use super::Waker;
    use rustix::io::{Errno, read};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::collections::BTreeMap;
    use std::io;
    use std::os::fd::OwnedFd;
    use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

    /// When the timer would expire by itself: in the year 2255.
    const FAR: i64 = 9_000_000_000;

    #[derive(Default)]
    struct Watchers {
        entered: u64,
        wakers: BTreeMap<u64, Waker>,
    }

    static WATCHERS: Mutex<Watchers> = Mutex::new(Watchers { entered: 0, wakers: BTreeMap::new() });

    fn watchers() -> MutexGuard<'static, Watchers> {
        WATCHERS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A watcher, until it is dropped.
    #[derive(Debug)]
    pub(in super::super) struct Watch(u64);

    impl Drop for Watch {
        fn drop(&mut self) {
            // Dropped after the lock.
            let _waker = watchers().wakers.remove(&self.0);
        }
    }

    /// Wakes `waker` whenever the clock was set; `None` if nobody can tell.
    pub(in super::super) fn watch(waker: &Waker) -> Option<Watch> {
        static STARTED: OnceLock<bool> = OnceLock::new();
        // Stopped before it is watched, so that no step falls in between.
        if !*STARTED.get_or_init(|| start().is_ok()) {
            return None;
        }
        let mut watchers = watchers();
        watchers.entered += 1;
        let number = watchers.entered;
        watchers.wakers.insert(number, waker.clone());
        Some(Watch(number))
    }

    fn start() -> io::Result<()> {
        let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC)?;
        arm(&timer)?;
        std::thread::Builder::new().name("batons-wall-clock".to_owned()).spawn(move || run(&timer))?;
        Ok(())
    }

    fn arm(timer: &OwnedFd) -> io::Result<()> {
        let far = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec { tv_sec: FAR, tv_nsec: 0 },
        };
        timerfd_settime(timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &far)?;
        Ok(())
    }

    fn run(timer: &OwnedFd) {
        loop {
            match read(timer, &mut [0; 8]) {
                // Read again without being armed anew: the kernel tells each step once.
                Err(Errno::CANCELED) => stepped(),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => unreachable!("the timer is ours and open: {error}"),
            }
        }
    }

    /// Tells everybody that the clock was set.
    pub(super) fn stepped() {
        let wakers: Vec<_> = watchers().wakers.values().cloned().collect();
        for waker in wakers {
            waker.wake();
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::task::Wake;

        #[derive(Default)]
        struct Count(AtomicUsize);

        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }

        #[test]
        fn a_step_of_the_clock_is_told_to_those_who_watch() {
            let count = Arc::<Count>::default();
            let watch = watch(&Waker::from(Arc::clone(&count))).expect("Linux has such timers");
            stepped();
            assert_eq!(count.0.load(Ordering::SeqCst), 1);
            drop(watch);
            assert_eq!(Arc::strong_count(&count), 1, "nothing is left of a watcher that went");
        }
    }
}
