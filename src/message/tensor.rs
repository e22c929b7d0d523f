//! Typed views of a tensor's bytes. The bytes are the tensor: nothing is decoded.

use super::{DType, MessageError, Metadata, Payload, TensorSpec};
use bytemuck::Pod;

/// A number type that a tensor may hold.
pub trait Element: Pod {
    /// The element type that it is.
    const DTYPE: DType;
}

macro_rules! elements {
    ($($type:ty => $dtype:ident),*) => { $(impl Element for $type { const DTYPE: DType = DType::$dtype; })* };
}
elements!(u8 => U8, i8 => I8, u16 => U16, i16 => I16, u32 => U32, i32 => I32, u64 => U64, i64 => I64, f32 => F32, f64 => F64);

/// A tensor that may be read.
#[derive(Debug)]
pub struct Tensor<'a> {
    /// Element type, dimensions and axes.
    pub spec: &'a TensorSpec,
    /// Length of each dimension.
    pub shape: Vec<usize>,
    bytes: &'a [u8],
}

/// A tensor that may be written.
#[derive(Debug)]
pub struct TensorMut<'a> {
    /// Element type, dimensions and axes.
    pub spec: &'a TensorSpec,
    /// Length of each dimension.
    pub shape: Vec<usize>,
    bytes: &'a mut [u8],
}

impl<'a> Tensor<'a> {
    /// Reads `bytes` as the tensor that `metadata` describes.
    ///
    /// # Errors
    /// [`MessageError::Kind`] where it describes something else, [`MessageError::Shape`] where the length does not fit.
    pub fn new(metadata: &'a Metadata, bytes: &'a [u8]) -> Result<Self, MessageError> {
        let (spec, shape) = describe(metadata, bytes.len())?;
        Ok(Tensor { spec, shape, bytes })
    }

    /// The elements, row-major.
    ///
    /// # Errors
    /// [`MessageError::Kind`] where the element type is another one.
    pub fn as_slice<T: Element>(&self) -> Result<&'a [T], MessageError> {
        same_dtype::<T>(self.spec)?;
        Ok(bytemuck::cast_slice(self.bytes))
    }

    /// The elements as `f64`, row-major, whatever their type is.
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        fn cast<T: Element>(bytes: &[u8], to_f64: impl Fn(T) -> f64) -> Vec<f64> {
            bytemuck::cast_slice::<u8, T>(bytes).iter().map(|&x| to_f64(x)).collect()
        }
        match self.spec.dtype {
            DType::U8 => cast::<u8>(self.bytes, f64::from),
            DType::I8 => cast::<i8>(self.bytes, f64::from),
            DType::U16 => cast::<u16>(self.bytes, f64::from),
            DType::I16 => cast::<i16>(self.bytes, f64::from),
            DType::U32 => cast::<u32>(self.bytes, f64::from),
            DType::I32 => cast::<i32>(self.bytes, f64::from),
            DType::U64 => cast::<u64>(self.bytes, |x| x as f64),
            DType::I64 => cast::<i64>(self.bytes, |x| x as f64),
            DType::F32 => cast::<f32>(self.bytes, f64::from),
            DType::F64 => cast::<f64>(self.bytes, f64::from),
        }
    }
}

impl<'a> TensorMut<'a> {
    /// As [`Tensor::new`], to be written in place.
    ///
    /// # Errors
    /// As [`Tensor::new`].
    pub fn new(metadata: &'a Metadata, bytes: &'a mut [u8]) -> Result<Self, MessageError> {
        let (spec, shape) = describe(metadata, bytes.len())?;
        Ok(TensorMut { spec, shape, bytes })
    }

    /// The elements, row-major, to be written.
    ///
    /// # Errors
    /// [`MessageError::Kind`] where the element type is another one.
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T], MessageError> {
        same_dtype::<T>(self.spec)?;
        Ok(bytemuck::cast_slice_mut(self.bytes))
    }
}

fn describe(metadata: &Metadata, payload_bytes: usize) -> Result<(&TensorSpec, Vec<usize>), MessageError> {
    let Payload::Tensor(spec) = &metadata.payload else {
        return Err(MessageError::Kind { found: metadata.payload.to_string(), wanted: "a tensor".to_owned() });
    };
    let shape = spec
        .shape(payload_bytes)
        .ok_or_else(|| MessageError::Shape { payload_bytes, description: spec.to_string() })?;
    Ok((spec, shape))
}

fn same_dtype<T: Element>(spec: &TensorSpec) -> Result<(), MessageError> {
    if spec.dtype == T::DTYPE {
        return Ok(());
    }
    Err(MessageError::Kind { found: format!("a tensor {spec}"), wanted: format!("a tensor of {}", T::DTYPE) })
}
