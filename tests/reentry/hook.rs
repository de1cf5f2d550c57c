//! A waker that calls back when it is woken, cloned or dropped.
//!
//! `std::task::Wake` cannot tell a clone or a drop, so this one is made by hand.
#![allow(unsafe_code)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{RawWaker, RawWakerVTable, Waker},
};

/// What a waker is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Wake,
    Clone,
    Drop,
}

type Callback = Box<dyn FnOnce() + Send>;

/// What a hooked waker points at: it calls back once, when its turn of `armed` comes.
#[derive(Default)]
pub(crate) struct Hook {
    armed: Mutex<Option<(Op, Callback)>>,
    pub(crate) clones: AtomicUsize,
    pub(crate) wakes: AtomicUsize,
}

impl Hook {
    pub(crate) fn arm(&self, op: Op, callback: impl FnOnce() + Send + 'static) {
        *self.armed.lock().expect("no callback runs inside") = Some((op, Box::new(callback)));
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.armed.lock().expect("no callback runs inside").is_some()
    }

    fn on(&self, op: Op) {
        let callback = {
            let mut armed = self.armed.lock().expect("no callback runs inside");
            if armed.as_ref().is_some_and(|(due, _)| *due == op) { armed.take() } else { None }
        };
        if let Some((_, callback)) = callback {
            callback();
        }
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        let data = Arc::into_raw(Arc::clone(self)).cast();
        // SAFETY: `VTABLE` keeps the contract of `RawWaker`: `data` is one strong count of an
        // `Arc<Hook>`, `clone` adds one, `wake` and `drop` give one up, and `Hook` is `Send + Sync`.
        unsafe { Waker::from_raw(RawWaker::new(data, &VTABLE)) }
    }
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// The hook behind a waker that stays alive.
///
/// # Safety
///
/// `data` is the data of a waker made by [`Hook::waker`] that is alive during `'a`.
unsafe fn hook<'a>(data: *const ()) -> &'a Hook {
    // SAFETY: by the contract above the count that `data` stands for keeps the hook alive.
    unsafe { &*data.cast::<Hook>() }
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the waker being cloned is alive.
    let hook = unsafe { hook(data) };
    hook.clones.fetch_add(1, Relaxed);
    hook.on(Op::Clone);
    // SAFETY: `data` came from `Arc::into_raw` and its count is alive; this is the clone's own count.
    unsafe { Arc::increment_strong_count(data.cast::<Hook>()) };
    RawWaker::new(data, &VTABLE)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: `wake` consumes the waker, and with it the count that `data` stands for.
    let hook = unsafe { Arc::from_raw(data.cast::<Hook>()) };
    hook.wakes.fetch_add(1, Relaxed);
    hook.on(Op::Wake);
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the waker is alive.
    let hook = unsafe { hook(data) };
    hook.wakes.fetch_add(1, Relaxed);
    hook.on(Op::Wake);
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: `drop` consumes the waker, and with it the count that `data` stands for.
    let hook = unsafe { Arc::from_raw(data.cast::<Hook>()) };
    hook.on(Op::Drop);
}
