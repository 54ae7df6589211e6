package spec

// Trainers a spec may choose.
const (
	TrainerLogistic = "logistic" // built in: regression for two classes
	TrainerCommand  = "command"  // the user's own program
)

// Train chooses the trainer, its parameters and where it runs.
type Train struct {
	Trainer    string     `json:"trainer" yaml:"trainer"`                       // logistic or command
	Queue      string     `json:"queue,omitempty" yaml:"queue,omitempty"`       // cpu (default) or gpu
	GPUs       int        `json:"gpus,omitempty" yaml:"gpus,omitempty"`         // devices of one job, with queue gpu (default 1)
	Priority   int        `json:"priority,omitempty" yaml:"priority,omitempty"` // 1 (first) to 5 (last), default 3
	Team       string     `json:"team,omitempty" yaml:"team,omitempty"`         // jobs of teams take turns on a queue
	Command    *Command   `json:"command,omitempty" yaml:"command,omitempty"`   // with trainer command, and only then
	Parameters Parameters `json:"parameters,omitzero" yaml:"parameters,omitempty"`
	Sweep      *Sweep     `json:"sweep,omitempty" yaml:"sweep,omitempty"`
	Private    *Private   `json:"private,omitempty" yaml:"private,omitempty"` // nil: without a guarantee of privacy
}

// Parameters are handed to the trainer by name. The logistic trainer takes l2, max_iterations and tolerance; a command
// takes whatever its program understands.
type Parameters map[string]Value

// Command is a user's training program.
type Command struct {
	Code        string             `json:"code" yaml:"code"`                     // folder that is snapshotted and in which the program runs
	Run         []string           `json:"run" yaml:"run"`                       // program and fixed arguments; parameters follow as --name value
	Data        string             `json:"data,omitempty" yaml:"data,omitempty"` // csv (default) or parquet
	Environment map[string]string  `json:"environment,omitempty" yaml:"environment,omitempty"`
	Metrics     []MetricDefinition `json:"metric_definitions,omitempty" yaml:"metric_definitions,omitempty"`
	TimeLimit   Duration           `json:"time_limit,omitzero" yaml:"time_limit,omitempty"` // of one attempt, default 12h
	Silence     Duration           `json:"silence,omitzero" yaml:"silence,omitempty"`       // longest time without output or checkpoint, default 10m
	Grace       Duration           `json:"grace,omitzero" yaml:"grace,omitempty"`           // between SIGTERM and SIGKILL, default 8s, at most 5m
	Retry       Retry              `json:"retry,omitzero" yaml:"retry,omitempty"`
}

// MetricDefinition finds a metric in the program's output, as SageMaker's metric_definitions do.
type MetricDefinition struct {
	Name  string `json:"name" yaml:"name"`
	Regex string `json:"regex" yaml:"regex"` // its first group is the number
}

// Retry says which ends of a program are tried again, and how often.
type Retry struct {
	Attempts int      `json:"attempts,omitempty" yaml:"attempts,omitempty"` // failures of the program in all, default 3
	On       []string `json:"on,omitempty" yaml:"on,omitempty"`             // default signal, silence
}

// Ends of a program that a spec may have tried again.
const (
	RetrySignal      = "signal"        // a signal ended it that Assay did not send
	RetrySilence     = "silence"       // it showed no progress for too long
	RetryExit        = "exit"          // it exited with a status other than 0
	RetryOutOfMemory = "out_of_memory" // it took more memory than it may
	RetryTimeLimit   = "time_limit"    // it ran longer than it may
)

// Serve is a user's program that answers GET /ping and POST /invocations for a model of trainer command.
type Serve struct {
	Run           []string          `json:"run" yaml:"run"` // program and arguments; {port} and {model_dir} are filled in
	Format        string            `json:"format,omitempty" yaml:"format,omitempty"`
	PositiveIndex *int              `json:"positive_index,omitempty" yaml:"positive_index,omitempty"` // where the answer is [p0, p1, ...]; default 1
	BatchRows     int               `json:"batch_rows,omitempty" yaml:"batch_rows,omitempty"`         // most rows of one request, default 1000
	InFlight      int               `json:"in_flight,omitempty" yaml:"in_flight,omitempty"`           // most requests at once, default 2
	ReadyWithin   Duration          `json:"ready_within,omitzero" yaml:"ready_within,omitempty"`      // default 2m
	TimeLimit     Duration          `json:"time_limit,omitzero" yaml:"time_limit,omitempty"`          // of one request, default 1m
	Environment   map[string]string `json:"environment,omitempty" yaml:"environment,omitempty"`
}

// Formats of a request to /invocations.
const (
	ServeCSV              = "csv"               // text/csv with a header line (default)
	ServeCSVNoHeader      = "csv_no_header"     // text/csv without, as SageMaker's own algorithms take it
	ServeDataframeSplit   = "dataframe_split"   // {"dataframe_split": {"columns": [...], "data": [[...]]}}, as MLflow takes it
	ServeDataframeRecords = "dataframe_records" // {"dataframe_records": [{...}]}, as MLflow takes it
	ServeInstances        = "instances"         // {"instances": [{...}]}
)

// Sweep searches parameters: each trial is a training of its own, and the best one is the candidate.
type Sweep struct {
	Method     string                `json:"method" yaml:"method"`
	Metric     string                `json:"metric" yaml:"metric"`                 // of a trial's output, or validation_auc, ... of a built-in trainer
	Goal       string                `json:"goal,omitempty" yaml:"goal,omitempty"` // maximize (default) or minimize
	Parameters map[string]SweepRange `json:"parameters" yaml:"parameters"`         // override train.parameters of the same name
	Trials     int                   `json:"trials,omitempty" yaml:"trials,omitempty"`
	Hours      float64               `json:"hours,omitempty" yaml:"hours,omitempty"`         // no trial starts after so long
	GPUHours   float64               `json:"gpu_hours,omitempty" yaml:"gpu_hours,omitempty"` // no trial starts after so much device time
	Parallel   int                   `json:"parallel,omitempty" yaml:"parallel,omitempty"`   // trials at once, default 2
	Seed       int64                 `json:"seed,omitempty" yaml:"seed,omitempty"`
	EarlyStop  *EarlyStop            `json:"early_stop,omitempty" yaml:"early_stop,omitempty"`
}

// Goals of a sweep.
const (
	SweepMaximize = "maximize"
	SweepMinimize = "minimize"
)

// Scales of a range: equal steps, or equal ratios, are equally likely.
const (
	ScaleLinear = "linear"
	ScaleLog    = "log"
)

// Methods of a sweep.
const (
	SweepGrid           = "grid"
	SweepRandom         = "random"
	SweepSobol          = "sobol"
	SweepLatinHypercube = "latin_hypercube"
	SweepTPE            = "tpe"
	SweepASHA           = "asha" // random, with early_stop
)

// SweepRange is what one parameter may be: values, or numbers between min and max.
type SweepRange struct {
	Min     *float64 `json:"min,omitempty" yaml:"min,omitempty"`
	Max     *float64 `json:"max,omitempty" yaml:"max,omitempty"`
	Scale   string   `json:"scale,omitempty" yaml:"scale,omitempty"`     // linear (default) or log
	Integer bool     `json:"integer,omitempty" yaml:"integer,omitempty"` // whole numbers only
	Points  int      `json:"points,omitempty" yaml:"points,omitempty"`   // method grid: how many values from min to max; integers: default all
	Values  []Value  `json:"values,omitempty" yaml:"values,omitempty"`
}

// EarlyStop ends trials that are worse than most at the same point (ASHA, the stopping variant).
type EarlyStop struct {
	By     string `json:"by,omitempty" yaml:"by,omitempty"`         // field of the output that counts resources, such as epoch; default: reports of the metric
	First  int    `json:"first,omitempty" yaml:"first,omitempty"`   // resource of the first look, default 1
	Factor int    `json:"factor,omitempty" yaml:"factor,omitempty"` // looks are at first, first*factor, ...; the best 1/factor go on; default 3
}
