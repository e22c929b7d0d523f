//! Node types, and the set of them that an executable offers.

use super::description::{MAX_HOLDS, Narrowed};
use super::{
    Cadence, InputPort, Joins, KnownSignal, Node, OutputPort, PortType, Program, Records, Role, SettingError, Source,
    Stream, TypeDescription,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// A node type: its description, and how to make a node of it.
///
/// Four things that a type may say let a graph be checked for more than its wiring:
///
/// - [`records`](NodeTypeBuilder::records), of an input: what was dropped on the way is missed here.
/// - [`cadence`](NodeTypeBuilder::cadence), of an output: how often its messages come, and how large they are.
/// - [`joins`](NodeTypeBuilder::joins), of the node: whether messages of several inputs belong together.
/// - [`fits`](Self::fits), of the settings: whether they are possible with the signal that comes in.
///
/// ```
/// use ezrun::message::Received;
/// use ezrun::node::{Flow, InputId, NoSettings, Node, NodeType, Outputs, PortType, Result};
///
/// /// Lets messages through whose payload is not empty.
/// struct NonEmpty;
///
/// impl Node for NonEmpty {
///     fn process(&mut self, _: InputId, message: Received<'_>, out: &mut Outputs) -> Result<Flow> {
///         if !message.bytes().is_empty() {
///             out.forward(message)?;
///         }
///         Ok(Flow::Continue)
///     }
/// }
///
/// let node_type = NodeType::transform("non_empty", "Lets messages through whose payload is not empty.")
///     .input("in", PortType::Any)
///     .output("out", PortType::same_as("in"))
///     .node(|_: NoSettings| Ok(NonEmpty));
/// assert_eq!(node_type.description().inputs[0].name, "in");
/// ```
pub struct NodeType {
    name: String,
    /// Made when it is asked for: to run a node nobody needs the schema of its settings.
    description: LazyLock<TypeDescription, Describe>,
    read: Read,
    make: Make,
    misfit: Option<Misfit>,
}

type Describe = Box<dyn FnOnce() -> TypeDescription + Send>;
/// Reads settings, and says which value is wrong, if one is.
type Read = Box<dyn Fn(Value) -> Option<SettingError> + Send + Sync>;
type Make = Box<dyn Fn(Value) -> Result<Instance, SettingError> + Send + Sync>;
/// Reads settings that are right in themselves, and says which is impossible with a signal, if one is.
type Misfit = Box<dyn Fn(Value, &KnownSignal) -> Option<SettingError> + Send + Sync>;

/// A node, of whichever kind.
#[allow(missing_docs, reason = "the names say it")]
pub enum Instance {
    Node(Box<dyn Node>),
    Source(Box<dyn Source>),
    Program(Box<dyn Program>),
}

/// The settings of a node type that has none.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// A node type that is being described; ends with [`node`](Self::node), [`source_node`](Self::source_node) or
/// [`program`](Self::program).
pub struct NodeTypeBuilder(TypeDescription);

impl NodeType {
    /// Describes a type where messages start.
    #[must_use]
    pub fn source(name: &str, summary: &str) -> NodeTypeBuilder {
        NodeTypeBuilder::new(name, summary, Role::Source)
    }

    /// Describes a type that messages pass through.
    #[must_use]
    pub fn transform(name: &str, summary: &str) -> NodeTypeBuilder {
        NodeTypeBuilder::new(name, summary, Role::Transform)
    }

    /// Describes a type where messages end.
    #[must_use]
    pub fn sink(name: &str, summary: &str) -> NodeTypeBuilder {
        NodeTypeBuilder::new(name, summary, Role::Sink)
    }

    /// Name, ports, settings.
    #[must_use]
    pub fn description(&self) -> &TypeDescription {
        &self.description
    }

    /// Makes a node. Does nothing else: no file is opened before `start`.
    ///
    /// # Errors
    /// [`SettingError`] where the settings are not right.
    pub fn make(&self, settings: Value) -> Result<Instance, SettingError> {
        (self.make)(settings)
    }

    /// Adds what the node would refuse once the first message has come: `check` gets settings that are right in themselves,
    /// and what is known beforehand of the signal at the first input.
    ///
    /// ```
    /// use ezrun::node::{KnownSignal, NodeType, SettingError};
    /// # use ezrun::message::Received;
    /// # use ezrun::node::{Flow, InputId, Node, Outputs, PortType, Result};
    /// # struct Gate;
    /// # impl Node for Gate {
    /// #     fn process(&mut self, _: InputId, _: Received<'_>, _: &mut Outputs) -> Result<Flow> { Ok(Flow::Continue) }
    /// # }
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Settings {
    ///     /// Index of the channel to look at.
    ///     channel: u64,
    /// }
    ///
    /// let node_type = NodeType::sink("gate", "Looks at one channel.")
    ///     .input("in", PortType::signal())
    ///     .node(|_: Settings| Ok(Gate))
    ///     .fits(|settings: Settings, signal: &KnownSignal| match signal.channels {
    ///         Some(channels) if settings.channel >= channels => {
    ///             Err(SettingError::at("channel", format!("the signal has {channels} channels, counted from 0")))
    ///         }
    ///         _ => Ok(()),
    ///     });
    /// # assert_eq!(node_type.description().name, "gate");
    /// ```
    #[must_use]
    pub fn fits<S, F>(mut self, check: F) -> Self
    where
        S: DeserializeOwned,
        F: Fn(S, &KnownSignal) -> Result<(), SettingError> + Send + Sync + 'static,
    {
        self.misfit = Some(Box::new(move |settings, signal| check(read(settings).ok()?, signal).err()));
        self
    }

    /// Whether some settings, right in themselves, are impossible with some signals.
    pub(crate) fn minds_signals(&self) -> bool {
        self.misfit.is_some()
    }

    /// What of `settings`, right in themselves, is impossible with `signal`.
    pub(crate) fn misfit(&self, settings: &Value, signal: &KnownSignal) -> Option<SettingError> {
        self.misfit.as_ref()?(settings.clone(), signal)
    }

    /// Everything that is wrong with `settings`: with their values, or else with what they say together.
    pub(crate) fn faults(&self, settings: &Value) -> Vec<SettingError> {
        let make = |settings| self.make(settings).err();
        let Some(first) = make(settings.clone()) else { return Vec::new() };
        let mut faults = self.faults_of_values(settings);
        if faults.is_empty() {
            faults = one_by_one(settings, make);
        }
        if faults.is_empty() { vec![first] } else { faults }
    }

    /// The values in `settings` that are wrong whatever the others are, and whatever is missing.
    pub(crate) fn faults_of_values(&self, settings: &Value) -> Vec<SettingError> {
        one_by_one(settings, &self.read)
    }
}

/// What `check` says of settings, each taken out once it is told, so that it does not hide the next one. What is said of
/// settings that are not written may come of that.
fn one_by_one(settings: &Value, check: impl Fn(Value) -> Option<SettingError>) -> Vec<SettingError> {
    let mut rest = settings.as_object().cloned().unwrap_or_default();
    let mut faults = Vec::new();
    while let Some(fault) = check(Value::Object(rest.clone())) {
        let Some(_) = fault.setting.as_ref().and_then(|setting| rest.shift_remove(setting)) else { break };
        faults.push(fault);
    }
    faults
}

impl NodeTypeBuilder {
    fn new(name: &str, summary: &str, role: Role) -> Self {
        NodeTypeBuilder(TypeDescription {
            name: name.to_owned(),
            summary: summary.to_owned(),
            role,
            inputs: Vec::new(),
            outputs: Vec::new(),
            settings: Value::Null,
            example: String::new(),
            uses: Vec::new(),
            joins: Joins::Freely,
        })
    }

    /// Adds a required input that is only read. The methods below change the input added last.
    #[must_use]
    pub fn input(mut self, name: &str, accepts: PortType) -> Self {
        self.0.inputs.push(InputPort {
            name: name.to_owned(),
            accepts,
            narrowed: None,
            uniform: false,
            writes_in_place: false,
            needs_views: false,
            required: true,
            many: false,
            holds: 1,
            records: Records::Nothing,
        });
        self
    }

    /// The node writes into the messages that it receives at this input.
    #[must_use]
    pub fn writes_in_place(self) -> Self {
        self.change_input(|input| input.writes_in_place = true)
    }

    /// The node calls `recv_zero_copy` at this input, so that every edge into it has to be a zero-copy edge.
    #[must_use]
    pub fn needs_views(self) -> Self {
        self.change_input(|input| input.needs_views = true)
    }

    /// Where `setting` is one of these words, this input accepts only that.
    #[must_use]
    pub fn accepts_where(self, setting: &str, is: &[&str], accepts: PortType) -> Self {
        let (setting, is) = (setting.to_owned(), is.iter().map(|&word| word.to_owned()).collect());
        self.change_input(|input| input.narrowed = Some(Narrowed { setting, is, accepts }))
    }

    /// All messages at this input have to be of one kind: tensors with the same dimensions but the first, or records of
    /// one type.
    #[must_use]
    pub fn uniform(self) -> Self {
        self.change_input(|input| input.uniform = true)
    }

    /// The node works without an edge into this input.
    #[must_use]
    pub fn optional(self) -> Self {
        self.change_input(|input| input.required = false)
    }

    /// Any number of edges may end at this input.
    #[must_use]
    pub fn many(self) -> Self {
        self.change_input(|input| input.many = true)
    }

    /// The node keeps up to `holds` views of this input at a time, 1 to [`MAX_HOLDS`].
    ///
    /// # Panics
    /// Where it is another number.
    #[must_use]
    pub fn holds(self, holds: u32) -> Self {
        assert!((1..=MAX_HOLDS).contains(&holds), "an input holds 1 to {MAX_HOLDS} messages");
        self.change_input(|input| input.holds = holds)
    }

    /// What comes in at this input is kept or verified: a message that was dropped on the way is missed.
    #[must_use]
    pub fn records(self) -> Self {
        self.change_input(|input| input.records = Records::Everything)
    }

    /// As [`records`](Self::records), unless this setting is `true`.
    #[must_use]
    pub fn records_unless(self, setting: &str) -> Self {
        self.change_input(|input| input.records = Records::Unless { setting: setting.to_owned() })
    }

    /// How the messages of several inputs belong together: [`Joins::Freely`] where nothing is said.
    #[must_use]
    pub fn joins(mut self, joins: Joins) -> Self {
        self.0.joins = joins;
        self
    }

    /// Adds an output.
    #[must_use]
    pub fn output(mut self, name: &str, sends: PortType) -> Self {
        self.0.outputs.push(OutputPort { name: name.to_owned(), sends, cadence: Cadence::Unknown });
        self
    }

    /// How the messages of the output added last come, and how large they are: [`Cadence::Unknown`] where nothing is
    /// said.
    ///
    /// # Panics
    /// Where no output was added.
    #[must_use]
    pub fn cadence(mut self, cadence: Cadence) -> Self {
        self.0.outputs.last_mut().expect("an output is declared before its properties").cadence = cadence;
        self
    }

    /// The settings of a typical node, as YAML.
    #[must_use]
    pub fn example(mut self, yaml: &str) -> Self {
        self.0.example = yaml.to_owned();
        self
    }

    /// The node reads or writes one of ezrun's own streams.
    #[must_use]
    pub fn uses(mut self, stream: Stream) -> Self {
        self.0.uses.push(stream);
        self
    }

    /// Ends the description: `make` turns settings into a [`Node`].
    #[must_use]
    pub fn node<S, N, F>(self, make: F) -> NodeType
    where
        S: DeserializeOwned + JsonSchema,
        N: Node + 'static,
        F: Fn(S) -> Result<N, SettingError> + Send + Sync + 'static,
    {
        self.made_by(move |settings| make(settings).map(|node| Instance::Node(Box::new(node))))
    }

    /// Ends the description: `make` turns settings into a [`Source`].
    #[must_use]
    pub fn source_node<S, N, F>(self, make: F) -> NodeType
    where
        S: DeserializeOwned + JsonSchema,
        N: Source + 'static,
        F: Fn(S) -> Result<N, SettingError> + Send + Sync + 'static,
    {
        self.made_by(move |settings| make(settings).map(|node| Instance::Source(Box::new(node))))
    }

    /// Ends the description: `make` turns settings into a [`Program`].
    #[must_use]
    pub fn program<S, N, F>(self, make: F) -> NodeType
    where
        S: DeserializeOwned + JsonSchema,
        N: Program + 'static,
        F: Fn(S) -> Result<N, SettingError> + Send + Sync + 'static,
    {
        self.made_by(move |settings| make(settings).map(|node| Instance::Program(Box::new(node))))
    }

    fn made_by<S, F>(mut self, make: F) -> NodeType
    where
        S: DeserializeOwned + JsonSchema,
        F: Fn(S) -> Result<Instance, SettingError> + Send + Sync + 'static,
    {
        NodeType {
            name: self.0.name.clone(),
            description: LazyLock::new(Box::new(move || {
                self.0.settings = schemars::schema_for!(S).to_value();
                self.0
            })),
            read: Box::new(|settings| read::<S>(settings).err()),
            make: Box::new(move |settings| make(read(settings)?)),
            misfit: None,
        }
    }

    fn change_input(mut self, change: impl FnOnce(&mut InputPort)) -> Self {
        change(self.0.inputs.last_mut().expect("an input is declared before its properties"));
        self
    }
}

/// Settings of the type that the node type declares for them.
fn read<S: DeserializeOwned>(settings: Value) -> Result<S, SettingError> {
    let settings = if settings.is_null() { Value::Object(serde_json::Map::new()) } else { settings };
    serde_path_to_error::deserialize(settings).map_err(|e| SettingError::from(&e))
}

/// The node types that an executable offers, by name.
#[derive(Default)]
pub struct Registry {
    types: BTreeMap<String, NodeType>,
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Registry::default()
    }

    /// Adds a type. One of the same name is replaced.
    #[must_use]
    pub fn with(mut self, node_type: NodeType) -> Self {
        self.types.insert(node_type.name.clone(), node_type);
        self
    }

    /// Adds the types of `others` whose names are not taken.
    #[must_use]
    pub fn with_all(mut self, others: Registry) -> Self {
        for (name, node_type) in others.types {
            self.types.entry(name).or_insert(node_type);
        }
        self
    }

    /// The type called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&NodeType> {
        self.types.get(name)
    }

    /// All types, by name.
    pub fn iter(&self) -> impl Iterator<Item = &NodeType> {
        self.types.values()
    }
}

impl fmt::Debug for NodeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeType({})", self.name)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.types.keys()).finish()
    }
}
