package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/stats"
)

// expected is what an answer must hold for each row.
type expected struct {
	task     stats.Task
	classes  []string // multiclass: in the order of the numbers
	positive int      // binary: the positive class's place where a row has one number a class
}

func expectedOf(s model.Schema, positive int) expected {
	return expected{task: s.TaskOf(), classes: s.Classes, positive: positive}
}

// width is how many numbers a row has.
func (want expected) width() int {
	if want.task == stats.Multiclass {
		return len(want.classes)
	}
	return 1
}

// rowBytes bounds what one row takes in an answer; a class's name may stand there with every byte escaped.
func (want expected) rowBytes() int64 {
	bytes := int64(answerRowBytes + (want.width()-1)*answerNumberBytes)
	for _, class := range want.classes {
		bytes += 6 * int64(len(class))
	}
	return bytes
}

const predictProba = `in scikit-learn predict_proba, in MLflow pyfunc_predict_fn="predict_proba" when the model is logged`

// labels is what to do about class labels in the place of probabilities.
func (want expected) labels() string {
	if want.task == stats.Multiclass {
		return "answer the probabilities of all classes, in the order of ASSAY_CLASSES; " + predictProba
	}
	return "answer probabilities; " + predictProba
}

// shape is which answers are understood.
func (want expected) shape() string {
	const list = `expected {"predictions": [...]}, {"outputs": [...]}, a list, or lines of text, with one element for each row: `
	switch want.task {
	case stats.Multiclass:
		return list + fmt.Sprintf(`[p1, p2, ...], {"probabilities": [...]} or {"probabilities": {"class": p, ...}}, a probability for each of the %d classes, in lists in the order of ASSAY_CLASSES`, len(want.classes))
	case stats.Regression:
		return list + `y, [y], {"score": y} or {"prediction": y}`
	default:
		return list + `p, [p0, p1, ...], {"score": p}, {"probability": p} or {"probabilities": [...]}`
	}
}

// names are the fields of an object that hold a row's numbers.
func (want expected) names() []string {
	switch want.task {
	case stats.Multiclass:
		return []string{"probabilities"}
	case stats.Regression:
		return []string{"score", "prediction"}
	default:
		return []string{"score", "probability", "probabilities"}
	}
}

// reader takes numbers out of elements and sees to it that all have the form of the first.
type reader struct {
	expected
	form  string
	whole bool // every number so far was written as 0 or 1
}

// append adds the numbers in the element of row i.
func (r *reader) append(scores []float64, i int, element any) ([]float64, error) {
	numbers, form, err := r.find(element)
	if err == nil && i > 0 && form != r.form {
		err = &AnswerError{Problem: fmt.Sprintf("has the form %s, and row 0 the form %s", form, r.form), Advice: "expected the same form for all rows"}
	}
	r.form = form
	sum := 0.0
	for j := 0; err == nil && j < len(numbers); j++ {
		var x float64
		if x, err = r.number(numbers[j]); err == nil {
			scores = append(scores, x)
			sum += x
		}
	}
	if err == nil && r.task == stats.Multiclass && math.Abs(sum-1) > model.SumTolerance {
		err = &AnswerError{Problem: fmt.Sprintf("has probabilities that do not sum to 1 within %g", model.SumTolerance),
			Advice: "the server answers scores of another kind: " + r.labels() + "; of logits, answer the softmax"}
	}
	var answer *AnswerError
	if errors.As(err, &answer) {
		answer.Row = i
	}
	return scores, err
}

// find gives the numbers of an element, of which a binary one has that of the positive class, and the element's form.
func (r *reader) find(element any) (numbers []any, form string, err error) {
	switch e := element.(type) {
	case []any:
		return r.findIn(e, "")
	case map[string]any:
		return r.findInObject(e)
	}
	if r.task == stats.Multiclass {
		problem := "is " + nameOf(element) + " where a list of probabilities is expected"
		switch element.(type) {
		case string, bool, json.Number:
			problem = "is " + nameOf(element) + ": a class label"
		}
		return nil, "", &AnswerError{Problem: problem, Advice: r.labels()}
	}
	return []any{element}, "p", nil
}

func (r *reader) findInObject(object map[string]any) (numbers []any, form string, err error) {
	for _, name := range r.names() {
		v, ok := object[name]
		if !ok {
			continue
		}
		if form != "" {
			return nil, "", &AnswerError{Problem: "has more than one of " + enumerated(r.names()), Advice: "expected one of them"}
		}
		if byClass, isObject := v.(map[string]any); isObject && r.task == stats.Multiclass {
			return r.findByClass(byClass)
		}
		list, isList := v.([]any)
		if isList != (name == "probabilities") {
			return nil, "", &AnswerError{Problem: fmt.Sprintf("has %s as %q", nameOf(v), name), Advice: r.shape()}
		}
		numbers, form = []any{v}, fmt.Sprintf(`{%q: p}`, name)
		if isList {
			if numbers, form, err = r.findIn(list, fmt.Sprintf("%q: ", name)); err != nil {
				return nil, "", err
			}
		}
	}
	if form == "" {
		return nil, "", &AnswerError{Problem: "is an object without " + enumerated(r.names()), Advice: r.shape()}
	}
	return numbers, form, nil
}

// findByClass puts probabilities that are named by their class in the order of the classes.
func (r *reader) findByClass(object map[string]any) (numbers []any, form string, err error) {
	for i, class := range r.classes {
		p, ok := object[class]
		if !ok {
			return nil, "", &AnswerError{Problem: fmt.Sprintf("has no probability for class %d of ASSAY_CLASSES", i), Advice: "expected one for each of its classes, under the class's name"}
		}
		numbers = append(numbers, p)
	}
	if extra := len(object) - len(r.classes); extra > 0 {
		return nil, "", &AnswerError{Problem: fmt.Sprintf("has probabilities of %d classes that are not in ASSAY_CLASSES", extra), Advice: "train on the classes of ASSAY_CLASSES and no others"}
	}
	return numbers, `{"probabilities": {"class": p}}`, nil
}

// findIn takes a multiclass list as it is, chooses the positive class's place in a binary one, and the only element of any
// other.
func (r *reader) findIn(list []any, name string) (numbers []any, form string, err error) {
	form = fmt.Sprintf("a list of %d", len(list))
	if name != "" {
		form = "{" + name + form + "}"
	}
	for _, v := range list {
		switch v.(type) {
		case []any, map[string]any:
			return nil, "", &AnswerError{Problem: "is a list that holds " + nameOf(v), Advice: r.shape()}
		}
	}
	switch {
	case len(list) == 0:
		return nil, "", &AnswerError{Problem: "is an empty list", Advice: r.shape()}
	case r.task == stats.Multiclass && len(list) == len(r.classes):
		return list, form, nil
	case r.task == stats.Multiclass:
		problem := fmt.Sprintf("is a list of %d for %d classes", len(list), len(r.classes))
		if len(list) == 1 {
			problem += ": a class label"
		}
		return nil, "", &AnswerError{Problem: problem, Advice: r.labels()}
	case len(list) == 1:
		return list, form, nil
	case r.task == stats.Regression:
		return nil, "", &AnswerError{Problem: fmt.Sprintf("is a list of %d", len(list)), Advice: "expected one number: " + r.shape()}
	case r.positive >= len(list):
		return nil, "", &AnswerError{
			Problem: fmt.Sprintf("is a list of %d, which has no element %d", len(list), r.positive),
			Advice:  "serve.positive_index must be the positive class's place in the list, counted from 0",
		}
	}
	return list[r.positive : r.positive+1], form, nil
}

// number checks that a value is what the task predicts.
func (r *reader) number(v any) (float64, error) {
	if r.task == stats.Regression {
		return finite(v)
	}
	return r.probability(v)
}

// finite checks that a value is a finite number.
func finite(v any) (float64, error) {
	const advice = "expected a finite number for every row, also where values are missing"
	number, ok := v.(json.Number)
	switch {
	case !ok && v == nil:
		return 0, &AnswerError{Problem: "is null or NaN", Advice: advice}
	case !ok:
		return 0, &AnswerError{Problem: "is " + nameOf(v), Advice: advice}
	}
	y, err := strconv.ParseFloat(string(number), 64)
	if err != nil || math.IsNaN(y) || math.IsInf(y, 0) {
		return 0, &AnswerError{Problem: "is NaN or infinite", Advice: advice}
	}
	return y, nil
}

// probability checks that a value is a number in [0, 1].
func (r *reader) probability(v any) (float64, error) {
	number, ok := v.(json.Number)
	if !ok {
		switch v.(type) {
		case string, bool:
			return 0, &AnswerError{Problem: "is " + nameOf(v) + ": a class label", Advice: "the server answers class labels: " + r.labels()}
		}
		return 0, &AnswerError{Problem: "is null or NaN", Advice: "expected a number in [0, 1] for every row, also where values are missing"}
	}
	p, err := strconv.ParseFloat(string(number), 64)
	switch {
	case math.IsNaN(p):
		return 0, &AnswerError{Problem: "is NaN", Advice: "expected a number in [0, 1] for every row, also where values are missing"}
	case err != nil || p < -beyond || p > 1+beyond:
		advice := "the server answers class labels or raw margins: " + r.labels() + "; a margin becomes a probability by 1/(1+exp(-margin)) where it is a log-odds"
		if r.task == stats.Multiclass {
			advice = "the server answers scores of another kind: " + r.labels() + "; of logits, answer the softmax"
		}
		return 0, &AnswerError{Problem: "is a number outside [0, 1]", Advice: advice}
	}
	r.whole = r.whole && (number == "0" || number == "1")
	return min(max(p, 0), 1), nil
}

// enumerated is `"a", "b" and "c"`.
func enumerated(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	last := len(quoted) - 1
	if last == 0 {
		return quoted[0]
	}
	return strings.Join(quoted[:last], ", ") + " and " + quoted[last]
}

// nameOf says what kind of JSON value v is, never which.
func nameOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a truth value"
	case json.Number:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}
