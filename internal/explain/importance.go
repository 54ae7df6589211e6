package explain

import (
	"bytes"
	"cmp"
	"encoding/json"

	"github.com/assay-ml/assay/internal/stats"
)

// Report is what was found, most important feature first. Measures of other tasks than the model's are not in the JSON.
type Report struct {
	Method      string         `json:"method"` // for a person: what was done, and what the intervals cover
	BaseAUC     stats.Estimate `json:"base_auc"`
	BaseLogLoss float64        `json:"base_log_loss"` // natural logarithm, mean over the rows used
	Rows        int            `json:"rows"`          // given
	RowsUsed    int            `json:"rows_used"`     // fewer when sampled
	Repeats     int            `json:"repeats"`
	Seed        uint64         `json:"seed"`
	Features    []Importance   `json:"features"`

	Task         stats.Task `json:"task,omitempty"`          // "" is binary
	BaseAccuracy *float64   `json:"base_accuracy,omitempty"` // multiclass
	BaseRMSE     *float64   `json:"base_rmse,omitempty"`     // regression

	Dependence      []Dependence          `json:"dependence,omitempty"`      // on the most important features, in their order
	Counterfactuals *CounterfactualReport `json:"counterfactuals,omitempty"` // of rows just short of the positive answer
	Surrogate       *Surrogate            `json:"surrogate,omitempty"`
	Shapley         *ShapleyReport        `json:"shapley,omitempty"`   // how much features move the answers
	Exact           *ShapleyReport        `json:"exact,omitempty"`     // the same without chance, in log-odds; of a logistic regression
	Local           *LocalReport          `json:"local,omitempty"`     // of single rows; LocalExplanation.Row and LeftOut are the source's row numbers
	Stability       *StabilityReport      `json:"stability,omitempty"` // whether Shapley's order depends on the seed
	Budget          *Budget               `json:"budget,omitempty"`
	Notes           []string              `json:"notes,omitempty"` // what was not done and why, in sentences
}

// Budget is how many rows the model could be asked about, and was.
type Budget struct {
	Predictions int `json:"predictions"`
	Used        int `json:"used"`
}

// MarshalJSON leaves out what is not measured of a model of another task than binary. The JSON of a binary one stays as it
// is whatever its values: signatures are on the digest of dossiers that hold it.
func (r Report) MarshalJSON() ([]byte, error) {
	type plain Report
	if r.Task == "" {
		return encode(plain(r))
	}
	out := struct {
		plain
		BaseAUC     *stats.Estimate `json:"base_auc,omitempty"`
		BaseLogLoss *float64        `json:"base_log_loss,omitempty"`
	}{plain: plain(r)}
	if r.Task == stats.Multiclass {
		out.BaseLogLoss = &r.BaseLogLoss
	}
	return encode(out)
}

// Importance is how much worse the scores become when one feature is shuffled: means over the shuffles, N the rows used.
// Values at or below zero mean that these rows are scored as well without knowing the feature. Of a binary model it has the
// fall of the AUC and the rise of the log-loss, of a multiclass one the fall of the accuracy and the rise of the log-loss, of
// a regression the rise of the RMSE; the others are zero and not in the JSON. The AUC's is undefined when the rows hold one
// class only.
type Importance struct {
	Feature       string         `json:"feature"`
	AUCDrop       stats.Estimate `json:"auc_drop"`
	AUCDropSD     float64        `json:"auc_drop_sd"` // over shuffles, divisor Repeats - 1, as all of them
	LogLossRise   stats.Estimate `json:"log_loss_rise"`
	LogLossRiseSD float64        `json:"log_loss_rise_sd"`

	AccuracyDrop   stats.Estimate `json:"accuracy_drop,omitzero"`
	AccuracyDropSD float64        `json:"accuracy_drop_sd,omitzero"`
	RMSERise       stats.Estimate `json:"rmse_rise,omitzero"`
	RMSERiseSD     float64        `json:"rmse_rise_sd,omitzero"`
}

// task is that of the model; an importance without any measure counts as that of a binary one.
func (i Importance) task() stats.Task {
	switch {
	case i.AccuracyDrop != stats.Estimate{}:
		return stats.Multiclass
	case i.RMSERise != stats.Estimate{}:
		return stats.Regression
	}
	return stats.Binary
}

// Leading is the measure by which features are ordered: the fall of the AUC or of the accuracy, or the rise of the RMSE.
func (i Importance) Leading() stats.Estimate {
	switch i.task() {
	case stats.Multiclass:
		return i.AccuracyDrop
	case stats.Regression:
		return i.RMSERise
	}
	return i.AUCDrop
}

func byImportance(a, b Importance) int {
	return cmp.Or(
		cmp.Compare(b.Leading().Value, a.Leading().Value),
		cmp.Compare(b.LogLossRise.Value, a.LogLossRise.Value),
		cmp.Compare(a.Feature, b.Feature),
	)
}

// MarshalJSON leaves out what is not measured of a model of another task than binary.
func (i Importance) MarshalJSON() ([]byte, error) {
	type plain Importance
	if i.task() == stats.Binary {
		return encode(plain(i))
	}
	out := struct {
		plain
		AUCDrop       *stats.Estimate `json:"auc_drop,omitempty"`
		AUCDropSD     *float64        `json:"auc_drop_sd,omitempty"`
		LogLossRise   *stats.Estimate `json:"log_loss_rise,omitempty"`
		LogLossRiseSD *float64        `json:"log_loss_rise_sd,omitempty"`
	}{plain: plain(i)}
	if i.task() == stats.Multiclass {
		out.LogLossRise, out.LogLossRiseSD = &i.LogLossRise, &i.LogLossRiseSD
	}
	return encode(out)
}

// encode leaves <, > and & as they are: whoever encodes the report decides about them.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
