//! What more than one fuzz target needs.
pub mod model_file;
