//! Payloads and descriptions, there and back, and what is none of them.

use super::*;
use std::sync::Arc;

crate::record! {
    /// One of each kind.
    pub struct Beat {
        /// A number.
        pub time_s: f64,
        /// A text.
        pub label: String,
        /// A flag.
        pub sound: bool,
        /// Numbers.
        pub heights: Vec<f64>,
    }
}

fn beat() -> Beat {
    Beat { time_s: 0.5, label: "QRS µ".to_owned(), sound: true, heights: vec![1.0, -2.5] }
}

#[test]
fn a_tensor_of_every_type_is_written_and_read_in_place() {
    fn round<T: Element + PartialEq + std::fmt::Debug>(values: [T; 6], as_f64: [f64; 6]) {
        let spec = TensorSpec::signal(T::DTYPE, 100.0, 2);
        let metadata = Arc::new(Metadata::tensor(spec));
        let payload = Buffer::zeroed(6 * T::DTYPE.bytes());
        let mut message = Owned::new(metadata, payload, Capture::stream_seconds(0.0));
        message.tensor_mut().unwrap().as_mut_slice::<T>().unwrap().copy_from_slice(&values);
        let tensor = message.tensor().unwrap();
        assert_eq!((tensor.shape.as_slice(), tensor.as_slice::<T>().unwrap()), (&[3, 2][..], &values[..]));
        assert_eq!(tensor.to_f64(), as_f64);
    }
    let plain = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    round([0u8, 1, 2, 3, 4, 5], plain);
    round([0i8, 1, 2, 3, 4, 5], plain);
    round([0u16, 1, 2, 3, 4, 5], plain);
    round([0i16, 1, 2, 3, 4, 5], plain);
    round([0u32, 1, 2, 3, 4, 5], plain);
    round([0i32, 1, 2, 3, 4, 5], plain);
    round([0u64, 1, 2, 3, 4, 5], plain);
    round([0i64, 1, 2, 3, 4, 5], plain);
    round([0f32, 1.0, 2.0, 3.0, 4.0, 5.0], plain);
    round(plain, plain);
}

crate::record! {
    struct Private {
        number: u64,
    }
}

#[test]
fn a_record_and_its_fields_may_be_private() {
    let mut bytes = Vec::new();
    codec::encode_into(&Private { number: 7 }, &mut bytes).unwrap();
    let dynamic = DynRecord::decode(&Private::spec(), &bytes).unwrap();
    assert_eq!(dynamic.fields, [("number".to_owned(), FieldValue::U64(7))]);
    assert_eq!(codec::decode::<Private>(&bytes).unwrap(), (Private { number: 7 }, 1));
}

#[test]
fn a_record_is_read_as_its_struct_and_by_its_description() {
    let mut bytes = Vec::new();
    codec::encode_into(&beat(), &mut bytes).unwrap();
    let message =
        Owned::new(Arc::new(Metadata::record(Beat::spec())), Buffer::from_slice(&bytes), Capture::stream_seconds(0.0));
    assert_eq!(message.record::<Beat>().unwrap(), beat());
    let dynamic = DynRecord::decode(&Beat::spec(), &bytes).unwrap();
    assert_eq!(dynamic.fields[1], ("label".to_owned(), FieldValue::Text("QRS µ".to_owned())));
    for cut in 0..bytes.len() {
        assert!(DynRecord::decode(&Beat::spec(), &bytes[..cut]).is_err(), "{cut} of {} bytes", bytes.len());
    }
}

#[test]
fn metadata_cut_short_or_changed_is_refused_or_is_other_metadata() {
    let spec = TensorSpec::signal(DType::F64, 250.0, 3);
    let metadata = Metadata::tensor(spec).with("unit", "mV");
    let mut bytes = Vec::new();
    codec::encode_into(&metadata, &mut bytes).unwrap();
    assert_eq!(codec::decode::<Metadata>(&bytes).unwrap(), (metadata, bytes.len()));
    for at in 0..bytes.len() {
        assert!(codec::decode::<Metadata>(&bytes[..at]).is_err());
        let mut changed = bytes.clone();
        changed[at] ^= 0xff;
        let _ = codec::decode::<Metadata>(&changed);
    }
}

#[test]
fn a_tensor_whose_dimensions_are_more_than_can_be_counted_fits_no_payload() {
    let spec = TensorSpec::new(DType::F64).dim(Dim::time(1.0)).dim(Dim::new("a", 1 << 33)).dim(Dim::new("b", 1 << 33));
    assert_eq!(spec.shape(0), None);
    assert_eq!(spec.shape(64), None);
}
