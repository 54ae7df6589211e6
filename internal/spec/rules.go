package spec

import (
	"math"

	"github.com/assay-ml/assay/internal/stats"
)

// rule is what one field accepts, beyond its Go type. The decoder checks it, the JSON Schema shows it.
type rule struct {
	field    string // Go type and key: "Split.by"
	says     string // one or two sentences for a person
	required bool
	enum     []string
	pattern  string // of a text; with patternSays in words
	inWords  string
	least    float64 // of a number; -Inf: none
	most     float64 // +Inf: none
	above    bool    // the number must be greater than least
	filled   bool    // a list or mapping needs an element
	distinct bool    // a list has no element twice
	standard any     // default

	names        string // of a mapping whose keys the user chooses: their pattern; with namesInWords in words
	namesInWords string
}

var infinity = math.Inf(1)

const modelPattern = `^[a-z0-9-]{1,63}$`

// A column, role or name: a text on one line.
const namePattern = `^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,254}[^\x00-\x20\x7f])?$`
const nameInWords = "a name on one line without blanks around it, of at most 256 characters"

// The constructors below keep the table readable.
func text(field, says string) rule {
	return rule{field: field, says: says, pattern: `\S`, inWords: "a text that is not blank"}
}

func name(field, says string) rule {
	return rule{field: field, says: says, pattern: namePattern, inWords: nameInWords}
}

func names(field, says string) rule {
	r := name(field, says)
	r.distinct, r.filled = true, true
	return r
}

func choice(field, says string, standard any, values ...string) rule {
	return rule{field: field, says: says, enum: values, standard: standard}
}

func number(field, says string, least, most float64) rule {
	return rule{field: field, says: says, least: least, most: most}
}

func aboveZero(field, says string, most float64) rule {
	return rule{field: field, says: says, most: most, above: true}
}

func parameters(field, says string) rule {
	r := plain(field, says)
	r.names, r.namesInWords = parameterPattern, parameterInWords
	return r
}

// environment takes variables for a program.
func environment(field string) rule {
	r := argument(field, "Variables for the program besides those of Assay. They are stored, and no place for secrets: let the worker pass these on with --pass-env.")
	r.names, r.namesInWords = variablePattern, variableInWords
	return r
}

// argument takes any text that a program can be given.
func argument(field, says string) rule {
	return rule{field: field, says: says, least: -infinity, most: infinity, pattern: `^[^\x00]*$`, inWords: "text"}
}

func plain(field, says string) rule {
	return rule{field: field, says: says, least: -infinity, most: infinity}
}

func (r rule) must() rule               { r.required = true; return r }
func (r rule) nonEmpty() rule           { r.filled = true; return r }
func (r rule) positive() rule           { r.above = true; return r }
func (r rule) otherwise(value any) rule { r.standard = value; return r }

func (r rule) matching(pattern, inWords string) rule {
	r.pattern, r.inWords = pattern, inWords
	return r
}

// rules holds one row for every field of every type, in the order of the types.
var rules = []rule{
	choice("Spec.apiVersion", "Version of the spec's format.", nil, APIVersion).must(),
	choice("Spec.kind", "What the spec describes.", nil, Kind).must(),
	name("Spec.model", "Name of the model: lower-case letters, digits and hyphens. Versions, champion, chain and monitor are kept under it.").
		matching(modelPattern, "1 to 63 lower-case letters, digits and hyphens").must(),
	text("Spec.owner", "Person or team that answers for the model.").must(),
	text("Spec.purpose", "What the model is for, and what it is not for. Reviewers read it first.").must(),
	plain("Spec.data", "Where examples come from and how they are read.").must(),
	plain("Spec.train", "The trainer, its parameters and where it runs.").must(),
	plain("Spec.serve", "With trainer: command, the server that answers for the model."),
	plain("Spec.fairness", "How protected groups are formed and what they are compared with."),
	plain("Spec.mitigation", "What is done against differences between groups."),
	plain("Spec.evaluate", "How scores become decisions and which slices are reported."),
	plain("Spec.explain", "How the model is explained, and how often it may be asked for that."),
	plain("Spec.privacy", "Which columns could identify a person together, and what is done about personal data."),
	plain("Spec.gates", "Conditions a candidate must meet before people are asked."),
	plain("Spec.review", "Who must agree, by when.").must(),
	plain("Spec.rollout", "How an approved version takes over."),
	plain("Spec.monitor", "How the serving version is watched."),
	plain("Spec.retrain", "When a new lifecycle starts by itself."),

	plain("Data.source", "Where rows are read from.").must(),
	plain("Data.target", "The column to predict.").must(),
	names("Data.protected", "Columns whose groups are audited for fairness. They are features unless excluded as well."),
	names("Data.exclude", "Columns never given to the model, such as identifiers."),
	name("Data.weight", "Column of sample weights; never a feature."),
	text("Data.transform", `SQL over the table "data" whose result replaces it. It can reach neither files nor the network.`),
	plain("Data.split", "How rows are divided into training, validation and test parts.").must(),
	plain("Data.expect", "Checks on the ingested data; a candidate is refused when one fails.").nonEmpty(),

	name("Source.uri", "Path (relative to the spec's folder), file:///..., https://... or synthetic://credit?rows=N&seed=S.").
		matching(`^[^\x00-\x1f\x7f]{1,1000}$`, "an address on one line").must(),
	choice("Source.format", "Format of the file; otherwise told by its extension.", nil, "csv", "parquet", "jsonl"),
	plain("Source.csv", "Overrides of what is otherwise detected in a CSV file."),

	name("CSV.separator", "Character between values; otherwise detected.").matching(`^[^\r\n]$`, `one character, such as ";" or "\t"`),
	name("CSV.quote", `Character around values that contain the separator; otherwise ".`).matching(`^[^\s]$`, "one character"),
	name("CSV.comment", "Lines that start with this character are skipped.").matching(`^[^\s]$`, "one character"),
	rule{field: "CSV.unknown", says: `Texts that mean "missing", such as "?".`, filled: true, distinct: true},
	plain("CSV.header", "Whether the first line names the columns.").otherwise(true),
	names("CSV.columns", "Names of the columns, when there is no header line."),

	name("Target.column", "The column to predict: of two values, or as task says.").must(),
	rule{field: "Target.positive", says: "With task: binary, and needed then: the value whose probability the score is. Values that look like numbers or true/false stand in quotes.",
		pattern: `^[\s\S]+$`, inWords: "a text that is not empty"},
	choice("Target.task", "What is predicted: binary (unless set) one of two values, multiclass one of up to 1000 values, regression a number. All but binary need trainer: command.",
		nil, string(stats.Binary), string(stats.Multiclass), string(stats.Regression)),

	choice("Split.by", "hash: rows are assigned by a hash of their content. time: in the order of a column.", "hash", "hash", "time"),
	name("Split.column", "With by: time, the column to order by."),
	names("Split.key", "With by: hash, columns that keep rows together: rows equal in all of them fall into the same part. Otherwise all columns."),
	number("Split.train", "Share of rows to train on; train, validation and test sum to 1.", 0, 1).positive().must(),
	number("Split.validation", "Share of rows for choices during training.", 0, 1),
	number("Split.test", "Share of rows for evaluation; 0 with a test_source.", 0, 1),
	number("Split.seed", "With by: hash, another seed gives another division.", -infinity, infinity),
	plain("Split.test_source", "Test rows come from here instead; then test is left out, and train and validation sum to 1."),

	name("Expectation.name", "Name of the check in reports."),
	name("Expectation.column", "The column to check; alone, that it is there."),
	choice("Expectation.type", "Type of the column's values.", nil, "integer", "number", "text", "boolean", "date", "timestamp"),
	plain("Expectation.min", "Least allowed value."),
	plain("Expectation.max", "Greatest allowed value."),
	number("Expectation.nulls", "Greatest allowed share of missing values: 0 for none.", 0, 1),
	rule{field: "Expectation.in", says: "Allowed values.", filled: true, distinct: true},
	plain("Expectation.unique", "No value occurs twice."),
	plain("Expectation.rows", "How many rows the table must have."),
	text("Expectation.sql", `One SQL query over the table "data" that answers true when all is well.`),

	number("Range.min", "At least this many.", 0, infinity),
	number("Range.max", "At most this many.", 0, infinity),

	choice("Train.trainer", "The training program.", nil, TrainerLogistic, TrainerCommand).must(),
	choice("Train.queue", "Workers to run on.", "cpu", "cpu", "gpu"),
	number("Train.gpus", "Devices per training job, with queue: gpu (then 1 unless set).", 1, 64),
	number("Train.priority", "Jobs of a lower number go first on a queue; 3 unless set.", 1, 5),
	name("Train.team", "Jobs of different teams take turns on a queue."),
	plain("Train.command", "With trainer: command, the program that trains."),
	parameters("Train.parameters", "Parameters of the trainer, by name. A command gets each as an argument --name value."),
	plain("Train.sweep", "Search for good parameters: many trainings, of which the best one is the candidate."),

	plain("Train.private", "Differentially private training by the built-in trainer. Every feature must be declared in data.expect: numbers by min and max, names by in."),

	aboveZero("Private.epsilon", "What the training may cost at most, in nats.", 100).must(),
	aboveZero("Private.delta", "Chance that it costs more; well below one over the number of rows, such as 1e-6.", 0.1).must(),
	aboveZero("Private.clip", "Largest length of one row's gradient.", 1e6).otherwise(1),
	number("Private.steps", "Steps of training.", 1, 1e6).otherwise(500),
	aboveZero("Private.rate", "Chance of a row to take part in a step.", 1).otherwise(0.05),
	aboveZero("Private.learning_rate", "Multiplies the noisy mean gradient. It costs no privacy, trying several values does.", 1e6).otherwise(2),

	name("Command.code", "Folder (relative to the spec's) that is copied into the store and in which the program runs.").
		matching(`^[^\x00-\x1f\x7f]{1,1000}$`, "the path of a folder, on one line").must(),
	argument("Command.run", "The program and its fixed arguments; parameters follow as --name value.").nonEmpty().must(),
	choice("Command.data", "Format of the rows the program is given.", "csv", "csv", "parquet"),
	environment("Command.environment"),
	plain("Command.metric_definitions", "Metrics to find in the program's output, besides those it writes as JSON lines.").nonEmpty(),
	plain("Command.time_limit", "Longest time of one attempt, at least 1s.").otherwise("12h"),
	plain("Command.silence", "Longest time without output or checkpoint, shorter than time_limit; 10m, or half of time_limit where that is shorter.").otherwise("10m"),
	plain("Command.grace", "Time between the request to end and the end by force, at most 5m.").otherwise("8s"),
	plain("Command.retry", "Which ends of the program are tried again."),

	name("MetricDefinition.name", "Name of the metric.").must(),
	rule{field: "MetricDefinition.regex", says: "Regular expression (RE2) whose first group is the number.", required: true,
		pattern: `^[^\x00]{1,1000}$`, inWords: "a regular expression of 1 to 1000 characters, on one line"},

	number("Retry.attempts", "Failures of the program in all, the last one included.", 1, 20).otherwise(3),
	rule{field: "Retry.on", says: "Ends that are tried again; others fail the lifecycle at once.", filled: true, distinct: true,
		enum:     []string{RetrySignal, RetrySilence, RetryExit, RetryOutOfMemory, RetryTimeLimit},
		standard: []string{RetrySignal, RetrySilence}},

	argument("Serve.run", "The server and its arguments; {port} and {model_dir} are filled in.").nonEmpty().must(),
	choice("Serve.format", "Format of the rows sent to POST /invocations.", ServeCSV,
		ServeCSV, ServeCSVNoHeader, ServeDataframeSplit, ServeDataframeRecords, ServeInstances),
	number("Serve.positive_index", "Where an answer holds one number a class: the place of the positive one, from 0.", 0, 1000).otherwise(1),
	number("Serve.batch_rows", "Most rows of one request.", 1, 100_000).otherwise(1000),
	number("Serve.in_flight", "Most requests at once.", 1, 64).otherwise(2),
	plain("Serve.ready_within", "Time the server has until GET /ping answers 200.").otherwise("2m"),
	plain("Serve.time_limit", "Longest time of one request.").otherwise("1m"),
	environment("Serve.environment"),

	choice("Sweep.method", "How the search proceeds: asha is random with early_stop.", nil,
		SweepGrid, SweepRandom, SweepSobol, SweepLatinHypercube, SweepTPE, SweepASHA).must(),
	name("Sweep.metric", "What trials are compared by: a metric of the program's output, or validation_auc and the like of a built-in trainer.").must(),
	choice("Sweep.goal", "Whether more or less of the metric is better.", SweepMaximize, SweepMaximize, SweepMinimize),
	parameters("Sweep.parameters", "Ranges of the parameters searched; they take the place of train.parameters of the same name.").nonEmpty().must(),
	number("Sweep.trials", "Most trials; of a grid, otherwise all. Other methods need one of trials, hours and gpu_hours, latin_hypercube needs trials.", 1, mostTrials),
	aboveZero("Sweep.hours", "No trial starts after so many hours.", 8784),
	aboveZero("Sweep.gpu_hours", "With queue: gpu, no trial starts after so many hours of devices.", 1e6),
	number("Sweep.parallel", "Trials at once.", 1, 64).otherwise(2),
	number("Sweep.seed", "Another seed, another search.", -infinity, infinity),
	plain("Sweep.early_stop", "Ends trials that are worse than most at the same point."),

	plain("SweepRange.min", "Least value."),
	plain("SweepRange.max", "Greatest value."),
	choice("SweepRange.scale", "log: equal ratios are equally likely, as for a learning rate.", ScaleLinear, ScaleLinear, ScaleLog),
	plain("SweepRange.integer", "Whole numbers only."),
	number("SweepRange.points", "With method: grid, how many values from min to max; of integers, otherwise all.", 1, mostValues),
	plain("SweepRange.values", "The values to choose from, in place of min and max.").nonEmpty(),

	name("EarlyStop.by", "Field of the program's output that counts what a trial used, such as epoch; otherwise how often it reported the metric."),
	number("EarlyStop.first", "Where trials are compared first, counted in by.", 1, 1e9).otherwise(1),
	number("EarlyStop.factor", "They are compared at first, first*factor, first*factor^2 and so on; the best 1/factor go on.", 2, 100).otherwise(3),

	plain("Fairness.bands", "Groups of protected columns of numbers, such as ages.").nonEmpty(),
	plain("Fairness.reference", "The group that the others of a column are compared with; otherwise its largest.").nonEmpty(),
	plain("Fairness.population", "Who the model is for, by protected columns: the data is compared with it.").nonEmpty(),
	names("Fairness.strata", "Columns whose values people are compared within, for the conditional demographic disparity."),

	name("Bands.column", "The protected column.").must(),
	rule{field: "Bands.from", says: "Where a band begins, in rising order; the numbers below the first make a band as well.", required: true, filled: true, distinct: true, least: -infinity, most: infinity},

	name("Reference.column", "The protected column.").must(),
	argument("Reference.group", "Name of the group; of a column with bands, such as 25 to under 45.").must(),

	name("Population.column", "The protected column.").must(),
	plain("Population.groups", "Its groups with their shares, which sum to 1.").nonEmpty().must(),

	argument("GroupShare.group", "Name of the group.").must(),
	number("GroupShare.share", "Its share of the population.", 0, 1).must(),

	names("Mitigation.reweighing", "Protected columns: rows are weighed in training so that groups and label are independent."),
	plain("Mitigation.thresholds", "A threshold for each group of a protected column, chosen on the validation part; in some uses of a model the law forbids it."),
	name("GroupThresholds.column", "The protected column.").must(),
	choice("GroupThresholds.constraint", "What is made as equal between groups as thresholds can: the share predicted positive, the share of the positive found, or this and the share of the negative taken for positive.",
		nil, ConstraintDemographicParity, ConstraintEqualOpportunity, ConstraintEqualizedOdds).must(),

	number("Evaluate.threshold", "A row is predicted positive when its score is at least this.", 0, 1).otherwise(0.5),
	names("Evaluate.slices", "Columns whose values are reported one by one, besides the protected ones."),

	number("Evaluate.min_group", "Intersections of protected groups with fewer rows are named in the dossier and not measured.", 2, 1e6).otherwise(30),
	plain("Evaluate.metrics", "Metrics of your own: a program gives a number for each test row, and conditions are on the mean.").nonEmpty(),

	name("OwnMetric.name", "Name of the metric in conditions: lower-case letters, digits and _.").
		matching(`^[a-z][a-z0-9_]{0,62}$`, "1 to 63 lower-case letters, digits and _, a letter first").must(),
	name("OwnMetric.code", "Folder (relative to the spec's) that is copied into the store and in which the program runs.").
		matching(`^[^\x00-\x1f\x7f]{1,1000}$`, "the path of a folder, on one line").must(),
	argument("OwnMetric.run", "The program and its arguments. It reads the CSV file ASSAY_ROWS and writes the CSV file ASSAY_VALUES: row,value.").nonEmpty().must(),
	plain("OwnMetric.least", "Least value a row can have."),
	plain("OwnMetric.most", "Greatest value a row can have. With both ends the error rate is guaranteed, otherwise it rests on many rows."),
	environment("OwnMetric.environment"),
	plain("OwnMetric.time_limit", "Longest time of one run.").otherwise("10m"),

	number("Explain.predictions", "Rows the model may be asked about for the explanation; what they do not suffice for is done on fewer rows, and said.", 10_000, 1e9).otherwise(500000),
	plain("Explain.changes", "How columns may change where it is asked what would have to change for another answer. Protected columns never do, unless they stand here.").nonEmpty(),
	rule{field: "Explain.rows", says: "Numbers of rows of the source, from 1, that are explained one by one where they are among the test rows.", filled: true, distinct: true, least: 1, most: 1e15},
	plain("Explain.show_values", "Whether values of single rows may stand in the dossier."),

	name("ColumnChange.column", "The column.").must(),
	plain("ColumnChange.never", "It cannot be changed, such as an age."),
	plain("ColumnChange.min", "Least value it may take."),
	plain("ColumnChange.max", "Greatest value it may take."),
	rule{field: "ColumnChange.to", says: "Names it may take; in ascending order with a direction.", filled: true, distinct: true},
	choice("ColumnChange.direction", "It may go this way only.", nil, "up", "down"),

	names("Privacy.quasi_identifiers", "Columns that could identify a person together, for k-anonymity; otherwise the protected columns."),
	names("Privacy.sensitive", "Columns whose values nobody is to learn about a person, besides the target, for l-diversity and t-closeness."),
	choice("Privacy.personal_data", "What is done about personal data in the columns that are to be trained on. review: it is shown to the reviewers. refuse: where it is certain, nothing is trained. off: it is not looked for.",
		PersonalReview, PersonalReview, PersonalRefuse, PersonalOff),
	names("Privacy.allow", "Columns that people have declared fine: what is found in them is shown, and counts for nothing."),
	plain("Privacy.budget", "What all private trainings on a data set may cost together, over all models and lifecycles; a training that would exceed it is refused."),
	plain("Privacy.attack", "How hard it is tried to tell the rows the model was trained on from others."),

	name("Budget.dataset", "Name of the data set, under which the account is kept whatever the model.").
		matching(modelPattern, "1 to 63 lower-case letters, digits and hyphens").must(),
	aboveZero("Budget.epsilon", "Most that may be spent. It cannot change after the first training.", 1000).must(),
	aboveZero("Budget.delta", "At which epsilon is counted.", 0.1).must(),

	number("Attack.rows", "Rows of each kind that are looked at.", 100, 1e6).otherwise(10000),
	number("Attack.shadows", "Models that the built-in trainer trains for a stronger attack; an even number.", 4, 256).otherwise(8),

	number("Gates.reliability", "Least chance that no condition is answered wrongly, of all conditions and all uses of the test set together; below 1.", 0, 1).positive().otherwise(0.95),
	choice("Gates.failing", "What a candidate that does not meet a condition meets: it is refused, or people are told and decide.", FailingRefused, FailingRefused, FailingReviewed),
	choice("Gates.inconclusive", "What a verdict that the sample cannot decide counts as.", "review", "pass", "fail", "review"),
	plain("Gates.test_set", "Makes the test set a budget of decisions; otherwise its uses are not counted, and the reliability holds for the first."),
	plain("Gates.labels", "Test rows may lack their label; the gate asks for exactly the labels it needs."),
	rule{field: "Gates.conditions", says: "Conditions such as auc > 0.8 +/- 0.02, n - o > 0 +/- 0.01 or recall[sex=Female] > 0.6 +/- 0.05; all must hold.", filled: true, distinct: true,
		pattern: `\S`, inWords: "a condition such as auc > 0.8 +/- 0.02"},

	choice("TestSet.adaptivity", "What the requester learns of a verdict: none: nothing, firstChange: the verdict, and the set ends at the first pass, full: every verdict.",
		nil, AdaptivityNone, AdaptivityFirstChange, AdaptivityFull).must(),
	number("TestSet.steps", "How many candidates are decided on one test set before a new one is needed.", 1, 10_000).must(),
	names("TestSet.show_to", "Roles that may see figures of the test set, and under none the verdict; otherwise those of review.quorum."),

	plain("Labels.deadline", "Time people have to label. Without the labels by then the candidate is refused.").must(),

	plain("Review.deadline", "Time people have. Without a quorum by then the candidate is refused, never approved.").must(),
	plain("Review.quorum", "Approvals needed, by role; all seats must be filled.").nonEmpty().must(),
	rule{field: "Review.separate", says: "Who may not decide: requester is the person who asked for the run.", enum: []string{"requester"}, distinct: true, filled: true},
	plain("Review.remind_every", "Reviewers are reminded this often."),
	plain("Review.escalate", "Roles that are told when a review has waited for long."),

	name("Seat.role", "Role that approves. Upper and lower case count as the same.").must(),
	number("Seat.approvals", "How many different people of the role must approve.", 1, 100).must(),

	plain("Escalate.after", "Time waited, shorter than the deadline.").must(),
	names("Escalate.to", "Roles told. They may fill a seat only if they hold its role.").must(),

	choice("Rollout.target", "Where the version is served.", "gateway", "gateway"),
	plain("Rollout.canary", "Steps of increasing traffic before the version takes over; without any it takes over at once.").nonEmpty(),
	plain("Rollout.abort", "Conditions on the live traffic that must hold during the canary; a failure rolls back.").nonEmpty(),

	aboveZero("CanaryStep.traffic", "Percent of requests the candidate answers.", 100).must(),
	plain("CanaryStep.hold", "How long the step lasts.").must(),

	text("Abort.condition", "A condition on error_rate, such as error_rate < 0.01.").must(),

	plain("Monitor.every", "Time between drift checks.").otherwise("1h"),
	plain("Monitor.drift", "How drift is decided."),

	aboveZero("Drift.false_alarms", "Chance that one check, over all columns together, alarms although nothing changed.", 0.2).otherwise(0.01),
	number("Drift.min_rows", "Fewer rows than this since the last check are reported as insufficient.", 1, 1e9).otherwise(50),
	choice("Drift.correction", "How columns are counted together: holm bounds the chance of any false alarm; benjamini-hochberg the share of false ones among alarms.",
		"holm", "holm", "benjamini-hochberg"),

	plain("Retrain.when", "Reasons to retrain."),
	plain("Retrain.cooldown", "Shortest time between two retrainings."),
	number("Retrain.max_per_week", "Most retrainings in seven days.", 1, 1000),

	rule{field: "When.any", says: "Any one of these suffices.", enum: []string{"drift"}, filled: true, distinct: true},
}

var ruleOf = func() map[string]rule {
	m := make(map[string]rule, len(rules))
	for _, r := range rules {
		m[r.field] = r
	}
	return m
}()
