package spec

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each case changes one line of the minimal spec and gives the only problem that must be reported.
func TestContradictionsAndWrongValues(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		// the head
		{"assay/v1", "assay/v2", `1:13: apiVersion: found "assay/v2"; expected assay/v1`},
		{"model: credit", "model: " + strings.Repeat("a", 64), `3:8: model: found "` + strings.Repeat("a", 64) + `"; expected 1 to 63 lower-case letters, digits and hyphens`},
		{"owner: team", `owner: " "`, `4:8: owner: found " "; expected a text that is not blank`},
		{"owner: team", "owner:", `4:1: owner: found nothing; expected a text that is not blank`},
		{"owner: team", "owner: [team]", `4:8: owner: found a list; expected a text that is not blank`},
		{"owner: team", "owner: true", `4:8: owner: found the truth value true; expected a text that is not blank; if this is meant, put it in quotes: "true"`},

		// keys
		{"  protected: [sex]", "  protectd: [sex]", `9:3: data.protectd: there is no field "protectd" here; did you mean "protected"?`},
		{"  protected: [sex]", "  escalate: 3d", `9:3: data.escalate: there is no field "escalate" here; it belongs to review; here, expected one of source, target, protected, exclude, weight, transform, split, expect`},
		{"  protected: [sex]", "  zebra: 3d", `9:3: data.zebra: there is no field "zebra" here; expected one of source, target, protected, exclude, weight, transform, split, expect`},
		{"owner: team", "owner: team\nowner: other", `5:1: the key "owner" is written a second time (first on line 4); keep one of the two`},
		{"owner: team", "owner: !!str team", `4:8: the YAML tag !!str; tags are not used in specs; write the value alone`},
		{"owner: team", "owner: *team", `4:8: the alias *team; expected an anchor of that name further up; put a text that begins with * in quotes`},

		// sources
		{"uri: rows.csv", `uri: "ftp://host/x"`, `7:17: data.source.uri: found "ftp://host/x"; expected a path, file:///..., https://... or synthetic://credit?rows=N&seed=S`},
		{"uri: rows.csv", `uri: "http://host/x"`, `7:17: data.source.uri: found "http://host/x", which anyone on the way could change; expected https://`},
		{"uri: rows.csv", `uri: "https:///x"`, `7:17: data.source.uri: found "https:///x", which names no host; expected a path`},
		{"uri: rows.csv", `uri: "https://me:pw@host/x"`, `7:17: data.source.uri: found a user or password in the address; leave them out`},
		{"uri: rows.csv", `uri: "https://host/%zz"`, `which is not a well-formed address`},
		{"uri: rows.csv", `uri: "file://rows.csv"`, `7:17: data.source.uri: found "file://rows.csv"; expected file:/// followed by an absolute path`},
		{"uri: rows.csv", `uri: ""`, `7:17: data.source.uri: found ""; expected an address on one line`},
		{"uri: rows.csv", `uri: "synthetic://credit?rows=5", format: csv`, `data.source.format: found a format with a synthetic source`},
		{"uri: rows.csv", `uri: "synthetic://credit?rows=5", csv: {quote: "'"}`, `data.source.csv: found csv settings with a synthetic source`},
		{"uri: rows.csv", `uri: rows.x, format: xlsx`, `7:33: data.source.format: found "xlsx"; expected one of csv, parquet, jsonl`},
		{"uri: rows.csv", `uri: rows.x, format: parquet, csv: {quote: "'"}`, `data.source.csv: found csv settings with format: parquet`},
		{"uri: rows.csv", `uri: rows.csv, csv: {separator: ";;"}`, `data.source.csv.separator: found ";;"; expected one character, such as ";" or "\t"`},
		{"uri: rows.csv", `uri: rows.csv, csv: {separator: "|", quote: "|"}`, `data.source.csv.quote: found "|" with two meanings`},
		{"uri: rows.csv", `uri: rows.csv, csv: {columns: [a, b]}`, `data.source.csv.columns: found names of columns although the file has a header line`},
		{"uri: rows.csv", `uri: rows.csv, csv: {header: false}`, `data.source.csv.header: found header: false without names of the columns`},
		{"uri: rows.csv", `uri: rows.csv, csv: {header: false, columns: [a, b, a]}`, `data.source.csv.columns[2]: found "a" a second time; expected every element once`},
		{"uri: rows.csv", `uri: rows.csv, csv: {header: "no"}`, `data.source.csv.header: found "no"; expected true or false`},

		// fairness and mitigation
		{"rollout:", "mitigation: {reweighing: [region]}\nrollout:", `mitigation.reweighing[0]: found "region", which is not protected`},
		{"{train: 0.6, validation: 0.2, test: 0.2}", "{train: 0.8, test: 0.2}\nmitigation: {thresholds: {column: sex, constraint: equalized_odds}}", `mitigation.thresholds: found it without validation rows`},
		{"rollout:", "fairness: {reference: [{column: sex, group: a}, {column: sex, group: b}]}\nrollout:", `fairness.reference[1].column: found "sex" a second time`},
		{"rollout:", "fairness: {strata: [approved]}\nrollout:", `fairness.strata[0]: found "approved", which is the target column`},

		// private training
		{"rollout:", "privacy: {personal_data: off, allow: [age]}\nrollout:", `privacy.allow: found columns declared fine although personal_data is off`},
		{"rollout:", "privacy: {personal_data: refused}\nrollout:", `privacy.personal_data: found "refused"; expected one of review, refuse, off; did you mean "refuse"?`},
		{"rollout:", "privacy: {sensitive: [approved]}\nrollout:", `privacy.sensitive[0]: found "approved", which is the target column`},
		{"rollout:", "privacy: {quasi_identifiers: [age], sensitive: [age]}\nrollout:", `privacy.sensitive[0]: found "age", which is a quasi-identifier too`},
		{"rollout:", "privacy: {budget: {dataset: d, epsilon: 1, delta: 1e-6}}\nrollout:", `privacy.budget: found a budget without train.private`},
		{"trainer: logistic", "trainer: logistic\n  private: {epsilon: 0, delta: 1e-6}", `train.private.epsilon: found the number 0; expected a number above 0`},
		{"trainer: logistic", "trainer: logistic\n  private: {epsilon: 1, delta: 1e-6}\nprivacy: {budget: {dataset: d, epsilon: 0, delta: 1e-6}}", `privacy.budget.epsilon: found the number 0; expected a number above 0`},
		{"trainer: logistic", "trainer: logistic\n  private: {epsilon: 1, delta: 1}", `train.private.delta: found the number 1; expected a number above 0 and at most 0.1`},
		{"trainer: logistic", "trainer: logistic\n  private: {epsilon: 1, delta: 1e-6}\nmitigation: {reweighing: [sex]}", `train.private: found it with weighted rows`},
		{"trainer: logistic", "trainer: logistic\n  private: {epsilon: 3, delta: 1e-6}\nprivacy: {budget: {dataset: d, epsilon: 1, delta: 1e-6}}", `train.private.epsilon: found epsilon 3 above the budget's 1`},

		// columns
		{`positive: "yes"`, "positive: 1", `data.target.positive: found the number 1; expected a text that is not empty; if this is meant, put it in quotes: "1"`},
		{"protected: [sex]", "protected: [approved]", `9:15: data.protected[0]: found "approved", which is the target column; take it out`},
		{"protected: [sex]", "exclude: [id, approved]", `9:17: data.exclude[1]: found "approved", which is the target column; take it out`},
		{"protected: [sex]", "weight: approved", `9:11: data.weight: found "approved", which is the target column`},
		{"protected: [sex]", "weight: w\n  protected: [w]", `10:15: data.protected[0]: found "w", which is the weight column; a column is one or the other`},
		{"protected: [sex]", "protected: [sex, sex]", `9:20: data.protected[1]: found "sex" a second time`},
		{"protected: [sex]", `protected: [" sex"]`, `9:15: data.protected[0]: found " sex"; expected a name on one line without blanks around it, of at most 256 characters`},
		{"protected: [sex]", "protected: []", `9:14: data.protected: found an empty list; expected at least one element, or the field left out`},
		{"protected: [sex]", "protected: sex", `9:14: data.protected: found "sex"; expected a list, such as [first, second]`},

		// split
		{"test: 0.2", "test: 0.3", `data.split: found shares that sum to 1.1; train, validation and test must sum to 1`},
		{"train: 0.6", "train: 0", `10:18: data.split.train: found the number 0; expected a number above 0 and at most 1`},
		{"train: 0.6", "train: .nan", `10:18: data.split.train: found ".nan"; expected a number above 0 and at most 1`},
		{"train: 0.6", "train: -.inf", `data.split.train: found "-.inf"; expected a number above 0 and at most 1`},
		{"validation: 0.2, test: 0.2", "validation: 0.4", `data.split.test: found no test rows; give a test share above 0, such as 0.2, or a test_source`},
		{"test: 0.2", "test: 0.2, test_source: {uri: t.csv}", `data.split.test: found a test share of 0.2 beside a test_source; leave test out`},
		{"validation: 0.2, test: 0.2", "test_source: {uri: t.csv}", `data.split: found shares that sum to 0.6`},
		{"{train: 0.6", "{by: time, train: 0.6", `data.split.column: found by: time without a column; name the column to order by`},
		{"{train: 0.6", "{column: day, train: 0.6", `data.split.column: found a column to order by with by: hash; write by: time, or leave column out`},
		{"{train: 0.6", "{by: time, column: day, key: [id], train: 0.6", `data.split.key: found a key with by: time`},
		{"{train: 0.6", "{by: time, column: day, seed: 1, train: 0.6", `data.split.seed: found a seed with by: time`},
		{"{train: 0.6", "{key: [approved], train: 0.6", `data.split.key[0]: found "approved", which is the target column`},
		{"{train: 0.6", "{by: hsh, train: 0.6", `data.split.by: found "hsh"; expected one of hash, time; did you mean "hash"?`},
		{"{train: 0.6", "{seed: 1.5, train: 0.6", `data.split.seed: found the number 1.5; expected a whole number`},
		{"{train: 0.6", "{seed: 0x10, train: 0.6", `data.split.seed: found the number 0x10; expected a whole number`},
		{"{train: 0.6", "{seed: 99999999999999999999, train: 0.6", `data.split.seed: found the number 99999999999999999999; expected a whole number`},

		// expectations
		{"train:\n", "  expect: [{name: x}]\ntrain:\n", `data.expect[0]: found 0 of column, rows and sql; expected exactly one of them in each check`},
		{"train:\n", "  expect: [{column: a, rows: {min: 1}}]\ntrain:\n", `data.expect[0]: found 2 of column, rows and sql`},
		{"train:\n", "  expect: [{rows: {}}]\ntrain:\n", `data.expect[0].rows: found neither min nor max`},
		{"train:\n", "  expect: [{rows: {min: 5, max: 4}}]\ntrain:\n", `data.expect[0].rows: found min 5 above max 4`},
		{"train:\n", "  expect: [{rows: {min: -5}}]\ntrain:\n", `data.expect[0].rows.min: found the number -5; expected a whole number of at least 0`},
		{"train:\n", "  expect: [{column: a, min: 5, max: 4}]\ntrain:\n", `data.expect[0].min: found min 5 above max 4`},
		{"train:\n", "  expect: [{column: a, type: text, max: 4}]\ntrain:\n", `data.expect[0]: found min or max for a column of type text`},
		{"train:\n", "  expect: [{column: a, type: float}]\ntrain:\n", `data.expect[0].type: found "float"; expected one of integer, number, text, boolean, date, timestamp`},
		{"train:\n", "  expect: [{column: a, nulls: 2}]\ntrain:\n", `data.expect[0].nulls: found the number 2; expected a number at least 0 and at most 1`},
		{"train:\n", "  expect: [{rows: {min: 1}, unique: true}]\ntrain:\n", `data.expect[0].unique: found unique without a column`},
		{"train:\n", "  expect: [{column: a, in: [1]}]\ntrain:\n", `data.expect[0].in[0]: found the number 1; expected text; if this is meant, put it in quotes: "1"`},

		// training
		{"trainer: logistic", "trainer: xgboost", `12:12: train.trainer: found "xgboost"; expected one of logistic, command`},
		{"trainer: logistic", "trainer: logistic\n  gpus: 1", `13:9: train.gpus: found gpus without queue: gpu; write queue: gpu, or leave gpus out`},
		{"trainer: logistic", "trainer: logistic\n  queue: gpu\n  gpus: 0", `14:9: train.gpus: found the number 0; expected a whole number at least 1 and at most 64`},
		{"trainer: logistic", "trainer: logistic\n  parameters: {l2: -1}", `train.parameters.l2: found the number -1; expected a number of at least 0`},
		{"trainer: logistic", "trainer: logistic\n  parameters: {tolerance: 0}", `13:27: train.parameters.tolerance: found the number 0; expected a number above 0 and at most 1`},
		{"trainer: logistic", "trainer: logistic\n  parameters: {max_iterations: 1.5}", `train.parameters.max_iterations: found the number 1.5; expected a whole number at least 1 and at most 1000000`},
		{"trainer: logistic", "trainer: logistic\n  parameters: {max_iterations: 2e6}", `train.parameters.max_iterations: found the number 2e6; expected a whole number at least 1 and at most 1000000`},
		{"trainer: logistic", "trainer: logistic\n  parameters: {l2: true}", `train.parameters.l2: found the truth value true; expected a number of at least 0`},
		{"trainer: logistic", "trainer: logistic\n  parameters: {tolerence: 0.1}", `13:16: train.parameters.tolerence: the logistic trainer has no parameter "tolerence"; did you mean "tolerance"?`},
		{"trainer: logistic", "trainer: logistic\n  parameters: {epochs: 3}", `13:16: train.parameters.epochs: the logistic trainer has no parameter "epochs"; expected one of l2, max_iterations, tolerance`},
		{"trainer: logistic", "trainer: logistic\n  command: {code: ., run: [train]}", `train.command: found a command with trainer: logistic; write trainer: command, or leave command out`},
		{"rollout:", "serve: {run: [serve]}\nrollout:", `serve: found a server with trainer: logistic; leave serve out: Assay answers for the models of its own trainers`},
		{"gates:", "evaluate: {threshold: 1.5}\ngates:", `evaluate.threshold: found the number 1.5; expected a number at least 0 and at most 1`},
		{"gates:", "evaluate: {slices: [approved]}\ngates:", `evaluate.slices[0]: found "approved", which is the target column`},

		// conditions
		{"auc > 0.8", "acuracy > 0.8", `15:7: gates.conditions[0]: found "acuracy > 0.8"; at character 1 of it: unknown metric "acuracy"; did you mean "accuracy"?`},
		{"auc > 0.8", "recall[sx=f] > 0.8", `15:7: gates.conditions[0]: found a condition on the slice "sx"; expected a column of data.protected or evaluate.slices; add it there; did you mean "sex"?`},
		{"auc > 0.8", "demographic_parity_difference[age] < 0.1", `15:7: gates.conditions[0]: found a condition on the slice "age"; expected a column of data.protected; add it there`},
		{"auc > 0.8", "error_rate < 0.8", `15:7: gates.conditions[0]: found "error_rate < 0.8"; error_rate cannot be measured here; expected one of accuracy`},
		{"- auc > 0.8", "- auc > 0.8\n    - auc > 0.8", `16:7: gates.conditions[1]: found "auc > 0.8" a second time`},
		{"error_rate < 0.01", "auc > 0.8", `rollout.abort[0].condition: found "auc > 0.8"; auc cannot be measured here; expected one of error_rate`},
		{"gates:", "gates:\n  failing: review\n  inconclusive: fail\n  test_set: {adaptivity: full, steps: 4}", `gates.failing: found review beside inconclusive: fail and a test set`},
		{"gates:", "gates:\n  inconclusive: maybe", `14:17: gates.inconclusive: found "maybe"; expected one of pass, fail, review`},

		// review
		{"  deadline: 72h\n", "", `17:3: review.deadline: this field is missing; expected time people have. Without a quorum by then the candidate is refused, never approved`},
		{"deadline: 72h", "deadline: 0s", `review.deadline: found "0s"; expected a duration above 0`},
		{"deadline: 72h", "deadline: -5m", `review.deadline: found "-5m"; expected a duration such as`},
		{"deadline: 72h", "deadline: 72", `review.deadline: found the number 72; expected a duration such as "90s", "10m", "1h30m", "3d" or "2w": a number alone has no unit, write "72s"`},
		{"quorum: [{role: ethics, approvals: 2}]", "quorum: []", `18:11: review.quorum: found an empty list; expected at least one element`},
		{"approvals: 2}]", "approvals: 2}, {role: Ethics, approvals: 1}]", `review.quorum[1].role: found the role "Ethics" a second time (first in element 0)`},
		{"approvals: 2}]", "approvals: 0}]", `review.quorum[0].approvals: found the number 0; expected a whole number at least 1 and at most 100`},
		{"approvals: 2}]", "}]", `review.quorum[0].approvals: this field is missing; expected how many different people of the role must approve`},
		{"review:", "review:\n  separate: [owner]", `review.separate[0]: found "owner"; expected requester`},
		{"review:", "review:\n  remind_every: 10m", `review.remind_every: found reminders every 10m with a deadline of 72h; expected at most 100 reminders`},
		{"review:", "review:\n  remind_every: 80h", `review.remind_every: found reminders every 80h with a deadline of 72h; expected less than the deadline`},
		{"review:", "review:\n  escalate: {after: 72h, to: [lead]}", `review.escalate.after: found an escalation after 72h with a deadline of 72h; expected less than the deadline`},
		{"review:", "review:\n  escalate: {after: 2h}", `review.escalate.to: this field is missing; expected roles told`},

		// rollout
		{"traffic: 5,", "traffic: 500,", `rollout.canary[0].traffic: found the number 500; expected a number above 0 and at most 100`},
		{"hold: 10m}]", "hold: 10m}, {traffic: 5, hold: 10m}]", `rollout.canary[1].traffic: found 5 percent after 5; expected more traffic in every step than in the one before`},
		{"  canary: [{traffic: 5, hold: 10m}]\n", "", `rollout.abort: found conditions to abort without canary steps`},

		// monitor, retrain
		{"rollout:", "monitor: {every: 0s}\nrollout:", `monitor.every: found "0s"; expected a duration above 0`},
		{"rollout:", "monitor: {drift: {false_alarms: 0}}\nrollout:", `monitor.drift.false_alarms: found the number 0; expected a number above 0 and at most 0.2`},
		{"rollout:", "monitor: {drift: {correction: bonferroni}}\nrollout:", `monitor.drift.correction: found "bonferroni"; expected one of holm, benjamini-hochberg`},
		{"rollout:", "retrain: {cooldown: 1h}\nrollout:", `retrain.cooldown: found cooldown although nothing starts a retraining; add when: {any: [drift]}`},
		{"rollout:", "retrain: {when: {any: [dirft]}}\nrollout:", `retrain.when.any[0]: found "dirft"; expected drift`},
	} {
		lines := refused(t, change(t, c.old, c.new))
		require.Len(t, lines, 1, "%s: %v", c.new, lines)
		require.Contains(t, lines[0], c.want, c.new)
		require.True(t, strings.HasPrefix(lines[0], "a.yaml:"), lines[0])
	}
}

func TestLegalVariants(t *testing.T) {
	for _, c := range [][2]string{
		{"  protected: [sex]\n", ""},
		{"protected: [sex]", "protected: [sex]\n  exclude: [sex]"}, // audited although the model never sees it
		{"uri: rows.csv", `uri: "http://127.0.0.1:8000/rows.csv"`},
		{"uri: rows.csv", `uri: rows.csv, csv: {header: true}`},
		{"uri: rows.csv", `uri: "a:b.csv"`},
		{"{train: 0.6, validation: 0.2, test: 0.2}", "{train: 0.7, validation: 0.1, test: 0.2}"}, // sums to 1 but for rounding
		{"{train: 0.6, validation: 0.2, test: 0.2}", "{train: 1, test_source: {uri: t.csv}}"},
		{"owner: team", `owner: "true"`},
		{"train:\n", "  expect: [{column: a}]\ntrain:\n"},
	} {
		parse(t, change(t, c[0], c[1]))
	}
	parse(t, "\ufeff---\n"+strings.ReplaceAll(minimal, "\n", "\r\n"))
}

func TestFieldsThatAreNotAvailableYet(t *testing.T) {
	for _, c := range []struct{ old, new, path string }{
		{"kind: Lifecycle", "kind: Sweep", "kind"},
		{"uri: rows.csv", `uri: "s3://bucket/x.csv"`, "data.source.uri"},
		{"uri: rows.csv", `uri: "postgres://host/db", query: select 1`, "data.source.uri"},
		{"uri: rows.csv", `uri: rows.csv, query: select 1`, "data.source.query"},
		{"test: 0.2", `test_source: {uri: "S3://b/x"}`, "data.split.test_source.uri"},
		{"test: 0.2", `test_source: {uri: "postgresql://b/x"}`, "data.split.test_source.uri"},
		{"test: 0.2", `test_source: {uri: t.csv, query: select 1}`, "data.split.test_source.query"},
		{"error_rate < 0.01", "error_rate < 0.01 ± 0.001", "rollout.abort[].condition"},
		{"review:", "review:\n  signatures: required", "review.signatures"},
		{"rollout:", "rollout:\n  shadow: 10m", "rollout.shadow"},
		{"rollout:", "rollout:\n  target: kserve", "rollout.target"},
		{"rollout:", "monitor: {performance: {metric: auc}}\nrollout:", "monitor.performance"},
		{"rollout:", "retrain: {when: {any: [drift, {new_rows: 10000}]}}\nrollout:", "retrain.when.any[].new_rows"},
		{"rollout:", "retrain: {when: {any: [{schedule: \"0 3 * * 1\"}]}}\nrollout:", "retrain.when.any[].schedule"},
	} {
		lines := strings.Join(refused(t, change(t, c.old, c.new)), "\n")
		i := slices.IndexFunc(later, func(u unavailable) bool { return u.path == c.path && strings.Contains(lines, u.String()) })
		require.GreaterOrEqual(t, i, 0, "%s: %s", c.path, lines)
		require.Contains(t, lines, "not available yet: ", c.path)
	}
}

func TestFilesThatAreNoSpec(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "a.yaml:1:1: the file is empty; expected a spec; examples/own-data.yaml is a template",
		"# nothing\n":                         "the file is empty",
		"hello":                               `a.yaml:1:1: found "hello"; expected a mapping with apiVersion`,
		"- a\n- b":                            "a.yaml:1:1: found a list; expected a mapping",
		"a: b\n---\nc: d\n":                   "a.yaml:3:2: a second YAML document; expected one spec a file",
		"a: [":                                "not YAML: ",
		"a:\n\t- b":                           "a.yaml:2:1: not YAML: found character '\\t'",
		"model: \xff":                         "a.yaml:1:8: byte 0xff is not UTF-8; save the file as UTF-8",
		"model: a\x00b":                       "a.yaml:1:9: a zero byte; expected a text file",
		strings.Repeat("[", 5000):             "a.yaml:1:33: nested more than 32 levels deep",
		strings.Repeat("a: {", 60) + "}":      "",
		"a: &a [*a]":                          "the anchor &a contains itself",
		strings.Repeat("- ", 5000):            "nested more than 32 levels deep",
		strings.Repeat("- x\n", 50_000):       "a.yaml:25001:1: more than 50000 words and signs",
		bomb():                                "more than 50000 values (aliases count each time they are used)",
		strings.Repeat("x", maxBytes+1):       fmt.Sprintf("the file has %d bytes; expected at most %d", maxBytes+1, maxBytes),
		"? {a: b}\n: c":                       "not YAML: found an invalid key for this map",
		"base: &b {x: 1}\nmodel:\n  <<: *b\n": "a key that is not a plain text",
	} {
		start := time.Now()
		_, err := Parse("a.yaml", []byte(text), Options{Env: noEnv})
		require.Error(t, err, "%.40q", text)
		require.Contains(t, strings.Join(problemsOf(t, err), "\n"), want, "%.40q", text)
		require.Less(t, time.Since(start), 20*time.Second, "%.40q", text)
	}
}

// bomb is the "billion laughs" document: ten levels of ten aliases.
func bomb() string {
	var b strings.Builder
	b.WriteString("l0: &l0 lol\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "l%d: &l%d [%s*l%d]\n", i, i, strings.Repeat(fmt.Sprintf("*l%d, ", i-1), 9), i-1)
	}
	return b.String()
}
