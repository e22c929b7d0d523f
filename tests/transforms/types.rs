//! What the types say of themselves.

use ezrun::node::Role;

#[test]
fn the_example_of_every_type_makes_a_node() {
    for node_type in ezrun::nodes::registry().iter() {
        let description = node_type.description();
        if description.example.is_empty() {
            continue;
        }
        let settings = yaml_serde::from_str(&description.example).expect("an example is YAML");
        let made = node_type.make(settings);
        assert!(made.is_ok(), "{}: {:?}", description.name, made.err());
    }
}

#[test]
fn the_transforms_that_write_in_place_say_so() {
    let registry = ezrun::nodes::registry();
    let transforms = registry.iter().map(|t| t.description()).filter(|d| d.role == Role::Transform);
    let in_place: Vec<&str> = transforms.filter(|d| d.inputs[0].writes_in_place).map(|d| d.name.as_str()).collect();
    assert_eq!(in_place, ["bandpass", "highpass", "lowpass", "notch", "rereference", "scale"]);
}
