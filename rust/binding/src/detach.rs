//! How every call leaves Python: in a thread pool of the wanted size, without the GIL, watched from the
//! calling thread; or, where it is short and needs no other thread, on that.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use sage_select_core::{Control, Error, FEW_ROWS};

use crate::error::{from_core, kernel_error};

/// How often signals are checked and progress is reported.
const INTERVAL: Duration = Duration::from_millis(100);

/// How a call wants to be run: the arguments that all heavy functions share.
pub(crate) struct Call<'py> {
    pub(crate) py: Python<'py>,
    pub(crate) threads: usize,
    pub(crate) progress: Option<Py<PyAny>>,
}

/// What the workers tell the calling thread, and it them.
#[derive(Default)]
pub(crate) struct Watch {
    done: AtomicU64,
    total: AtomicU64,
    stop: AtomicBool,
}

impl Control for Watch {
    fn tick(&self, done: u64, total: u64) -> Result<(), Error> {
        self.total.store(total, Ordering::Relaxed);
        self.done.fetch_max(done, Ordering::Relaxed);
        if self.stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }
}

impl Watch {
    fn report(&self, py: Python<'_>, progress: Option<&Py<PyAny>>) -> PyResult<()> {
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        if let (Some(progress), 1..) = (progress, total) {
            progress.call1(py, (done, total))?;
        }
        Ok(())
    }
}

impl Call<'_> {
    /// Runs work on so many rows: in the pool, or, where they are few, on the calling thread.
    ///
    /// Only for kernels that say that they use no other thread for few rows.
    pub(crate) fn run_on<T: Send>(
        self,
        rows: usize,
        work: impl FnOnce(&Watch) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        if rows > FEW_ROWS {
            return self.run(work);
        }
        here(self.py, || work(&Watch::default()))
    }

    /// Runs `work` in the pool, without the GIL.
    ///
    /// Meanwhile the calling thread checks for signals and calls `progress(done, total)`, ten times a second,
    /// and once more at the end. What either raises stops the work and is raised here.
    pub(crate) fn run<T: Send>(self, work: impl FnOnce(&Watch) -> Result<T, Error> + Send) -> PyResult<T> {
        let Self { py, threads, progress } = self;
        let pool = pool(py, threads)?;
        let watch = Watch::default();
        let mut raised = None;
        let result = py.detach(|| {
            pool.in_place_scope(|scope| {
                let (sender, receiver) = sync_channel(1);
                let watch = &watch;
                scope.spawn(move |_| {
                    // The receiver waits until this is sent or dropped.
                    let _ = sender.send(work(watch));
                });
                loop {
                    match receiver.recv_timeout(INTERVAL) {
                        Ok(result) => break Some(result),
                        // The work panicked; the scope passes that on.
                        Err(RecvTimeoutError::Disconnected) => break None,
                        Err(RecvTimeoutError::Timeout) if raised.is_none() => {
                            let heard = Python::attach(|py| {
                                py.check_signals()?;
                                watch.report(py, progress.as_ref())
                            });
                            if let Err(error) = heard {
                                raised = Some(error);
                                watch.stop.store(true, Ordering::Relaxed);
                            }
                        }
                        Err(RecvTimeoutError::Timeout) => {}
                    }
                }
            })
        });
        if let Some(error) = raised {
            return Err(error);
        }
        let value = result.unwrap_or(Err(Error::Interrupted)).map_err(|error| from_core(py, &error))?;
        watch.report(py, progress.as_ref())?;
        Ok(value)
    }
}

/// Runs work that uses no pool on the calling thread, without the GIL: handing it over takes ten microseconds.
///
/// It is not watched, and rayon must not be used in it, which would start a pool of its own.
pub(crate) fn here<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Error> + Send) -> PyResult<T> {
    py.detach(work).map_err(|error| from_core(py, &error))
}

struct Cached {
    process: u32,
    threads: usize,
    pool: Arc<ThreadPool>,
}

/// A pool of so many threads: the last one made, or a new one.
///
/// The threads of a pool do not live on in a forked child, where waiting for them would last for ever, so a
/// pool is used only in the process that made it. The lock is taken with the GIL held, so no fork can leave
/// it locked.
fn pool(py: Python<'_>, threads: usize) -> PyResult<Arc<ThreadPool>> {
    static LAST: Mutex<Option<Cached>> = Mutex::new(None);
    let process = std::process::id();
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(cached) =
        last.as_ref().filter(|cached| cached.process == process && cached.threads == threads)
    {
        return Ok(Arc::clone(&cached.pool));
    }
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("sage-select-{index}"))
        .build()
        .map_err(|error| {
            kernel_error(py, "threads", None, format!("{threads} threads cannot be started: {error}"))
        })?;
    let pool = Arc::new(pool);
    let before = last.replace(Cached { process, threads, pool: Arc::clone(&pool) });
    if let Some(foreign) = before.filter(|cached| cached.process != process) {
        std::mem::forget(foreign);
    }
    Ok(pool)
}
