//! The machine around the model.
#![no_std]
