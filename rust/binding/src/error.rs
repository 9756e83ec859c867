//! The one exception of the module.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use sage_select_core::Error;

pyo3::create_exception!(
    _native,
    KernelError,
    PyException,
    "A call was refused: `kind` is a stable word, `row` the row it is about or None, `message` a sentence."
);

/// Builds the exception from its three attributes.
pub(crate) fn kernel_error(py: Python<'_>, kind: &str, row: Option<usize>, message: String) -> PyErr {
    let error = KernelError::new_err(message.clone());
    let value = error.value(py);
    let set = value
        .setattr("kind", kind)
        .and_then(|()| value.setattr("row", row))
        .and_then(|()| value.setattr("message", message));
    set.err().unwrap_or(error)
}

/// Maps an error of the core.
pub(crate) fn from_core(py: Python<'_>, error: &Error) -> PyErr {
    kernel_error(py, error.kind(), error.row(), error.to_string())
}
