//! Any bytes as metadata, and others as the payload that it describes.
#![no_main]

use ezrun::message::{Buffer, Capture, DynRecord, Metadata, Owned, Payload, codec};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;

fuzz_target!(|bytes: &[u8]| {
    let Ok((metadata, used)) = codec::decode::<Metadata>(bytes) else { return };
    let mut again = Vec::new();
    codec::encode_into(&metadata, &mut again).expect("it was read");
    let (read, _) = codec::decode::<Metadata>(&again).expect("it was written");
    assert_eq!(format!("{read:?}"), format!("{metadata:?}"));
    let _ = metadata.payload.to_string();
    if let Payload::Record(spec) = &metadata.payload {
        let _ = DynRecord::decode(spec, &bytes[used..]);
    }
    if let Some(spec) = metadata.tensor_spec() {
        let _ = (spec.rate_hz(), spec.row_elements());
    }
    let mut message = Owned::new(Arc::new(metadata), Buffer::from_slice(&bytes[used..]), Capture::stream_seconds(0.0));
    if let Ok(tensor) = message.tensor() {
        let elements: usize = tensor.shape.iter().product();
        assert_eq!(tensor.to_f64().len(), elements);
    }
    let _ = message.tensor_mut();
});
