package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// beyond is how far a score may lie outside [0, 1] and still be taken for the nearer end: sums of many rounded
// probabilities come out a little above 1.
const beyond = 1e-9

// labelRows is from how many rows on an answer of nothing but the whole numbers 0 and 1 is taken for class labels. Fewer may
// be probabilities of a model that is sure, written by a server that leaves the point away.
const labelRows = 50

const labelAdvice = `answer probabilities; in scikit-learn predict_proba, in MLflow pyfunc_predict_fn="predict_proba" when the model is logged`

const shapeAdvice = `expected {"predictions": [...]}, {"outputs": [...]}, a list, or lines of text, with one element for each row: ` +
	`p, [p0, p1, ...], {"score": p}, {"probability": p} or {"probabilities": [...]}`

// readAnswer gives the scores in a body, one for each of n rows. Errors are *AnswerError.
func readAnswer(contentType string, body []byte, n, positive int) ([]float64, error) {
	body = bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\xef\xbb\xbf"))
	var elements []any
	var err error
	if isJSON(contentType, body) {
		elements, err = jsonElements(body)
	} else {
		elements = textElements(string(body), n)
	}
	if err != nil {
		return nil, err
	}
	if len(elements) != n {
		return nil, whole(fmt.Sprintf("it holds %d elements for %d rows", len(elements), n), shapeAdvice)
	}
	r := reader{positive: positive, whole: true}
	scores := make([]float64, n)
	for i, e := range elements {
		if scores[i], err = r.score(i, e); err != nil {
			return nil, err
		}
	}
	if r.whole && n >= labelRows {
		return nil, whole("every row has the whole number 0 or 1: class labels", labelAdvice+"; if they are probabilities indeed, write them with a point (1.0)")
	}
	return scores, nil
}

func whole(problem, advice string) error {
	return &AnswerError{Row: -1, Problem: problem, Advice: advice}
}

func isJSON(contentType string, body []byte) bool {
	if len(body) > 0 && (body[0] == '{' || body[0] == '[') {
		return true
	}
	return strings.Contains(contentType, "json")
}

// jsonElements finds the list in a JSON answer. Numbers stay json.Number, so that 1 and 1.0 can be told apart.
func jsonElements(body []byte) ([]any, error) {
	v, err := decode(body)
	if err != nil {
		// Python writes NaN and Infinity, which JSON does not have. With null in their place the row at fault is found.
		if v, err = decode(withoutNaN(body)); err != nil {
			return nil, whole("it is neither JSON nor lines of numbers", shapeAdvice)
		}
	}
	object, ok := v.(map[string]any)
	if ok {
		predictions, outputs := object["predictions"], object["outputs"]
		switch {
		case predictions != nil && outputs != nil:
			return nil, whole(`it has both "predictions" and "outputs"`, "expected one of them")
		case predictions != nil:
			v = predictions
		case outputs != nil:
			v = outputs
		default:
			return nil, whole(`it is an object without "predictions" and "outputs"`, shapeAdvice)
		}
	}
	list, ok := v.([]any)
	if !ok {
		return nil, whole("where its list of rows should be there is "+nameOf(v), shapeAdvice)
	}
	return list, nil
}

func decode(body []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more after the JSON value")
	}
	return v, nil
}

// withoutNaN puts null in the place of NaN, Infinity and -Infinity outside strings.
func withoutNaN(body []byte) []byte {
	var out bytes.Buffer
	inString := false
	for i := 0; i < len(body); i++ {
		c := body[i]
		if inString {
			out.WriteByte(c)
			if c == '\\' && i+1 < len(body) {
				i++
				out.WriteByte(body[i])
			}
			inString = c != '"'
			continue
		}
		inString = c == '"'
		if n := nanAt(body[i:]); n > 0 {
			out.WriteString("null")
			i += n - 1
			continue
		}
		out.WriteByte(c)
	}
	return out.Bytes()
}

func nanAt(b []byte) int {
	for _, word := range []string{"NaN", "-NaN", "Infinity", "-Infinity"} {
		if bytes.HasPrefix(b, []byte(word)) {
			return len(word)
		}
	}
	return 0
}

// textElements reads lines of p or p0,p1,... as lists of texts. Some servers write all rows on one line.
func textElements(body string, n int) []any {
	if body == "" {
		return nil
	}
	lines := strings.Split(body, "\n")
	if len(lines) == 1 && n > 1 {
		lines = strings.Split(lines[0], ",")
	}
	elements := make([]any, len(lines))
	for i, line := range lines {
		cells := strings.Split(line, ",")
		list := make([]any, len(cells))
		for j, cell := range cells {
			if cell = strings.TrimSpace(cell); isNumber(cell) {
				list[j] = json.Number(cell)
			} else {
				list[j] = cell
			}
		}
		elements[i] = list
	}
	return elements
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

// reader takes scores out of elements and sees to it that all have the form of the first.
type reader struct {
	positive int
	form     string
	whole    bool // every score so far was written as 0 or 1
}

// score reads the element of row i.
func (r *reader) score(i int, element any) (float64, error) {
	number, form, err := r.find(element)
	if err == nil && i > 0 && form != r.form {
		err = &AnswerError{Problem: fmt.Sprintf("has the form %s, and row 0 the form %s", form, r.form), Advice: "expected the same form for all rows"}
	}
	r.form = form
	var p float64
	if err == nil {
		p, err = r.probability(number)
	}
	if err != nil {
		var answer *AnswerError
		if errors.As(err, &answer) {
			answer.Row = i
		}
		return 0, err
	}
	return p, nil
}

// find gives the number of the positive class in an element, and the element's form.
func (r *reader) find(element any) (number any, form string, err error) {
	switch e := element.(type) {
	case []any:
		return r.findIn(e, "")
	case map[string]any:
		return r.findInObject(e)
	default:
		return element, "p", nil
	}
}

func (r *reader) findInObject(object map[string]any) (number any, form string, err error) {
	for _, name := range []string{"score", "probability", "probabilities"} {
		v, ok := object[name]
		if !ok {
			continue
		}
		if form != "" {
			return nil, "", &AnswerError{Problem: `has more than one of "score", "probability" and "probabilities"`, Advice: "expected one of them"}
		}
		list, isList := v.([]any)
		if isList != (name == "probabilities") {
			return nil, "", &AnswerError{Problem: fmt.Sprintf("has %s as %q", nameOf(v), name), Advice: shapeAdvice}
		}
		number, form = v, fmt.Sprintf(`{%q: p}`, name)
		if isList {
			if number, form, err = r.findIn(list, fmt.Sprintf("%q: ", name)); err != nil {
				return nil, "", err
			}
		}
	}
	if form == "" {
		return nil, "", &AnswerError{Problem: `is an object without "score", "probability" and "probabilities"`, Advice: shapeAdvice}
	}
	return number, form, nil
}

// findIn chooses the positive class's place in a list; the only element of a list is the score itself.
func (r *reader) findIn(list []any, name string) (number any, form string, err error) {
	form = fmt.Sprintf("a list of %d", len(list))
	if name != "" {
		form = "{" + name + form + "}"
	}
	for _, v := range list {
		switch v.(type) {
		case []any, map[string]any:
			return nil, "", &AnswerError{Problem: "is a list that holds " + nameOf(v), Advice: shapeAdvice}
		}
	}
	switch {
	case len(list) == 1:
		return list[0], form, nil
	case len(list) == 0:
		return nil, "", &AnswerError{Problem: "is an empty list", Advice: shapeAdvice}
	case r.positive >= len(list):
		return nil, "", &AnswerError{
			Problem: fmt.Sprintf("is a list of %d, which has no element %d", len(list), r.positive),
			Advice:  "serve.positive_index must be the positive class's place in the list, counted from 0",
		}
	}
	return list[r.positive], form, nil
}

// probability checks that a value is a number in [0, 1].
func (r *reader) probability(v any) (float64, error) {
	number, ok := v.(json.Number)
	if !ok {
		switch v.(type) {
		case string, bool:
			return 0, &AnswerError{Problem: "is " + nameOf(v) + ": a class label", Advice: "the server answers class labels: " + labelAdvice}
		}
		return 0, &AnswerError{Problem: "is null or NaN", Advice: "expected a number in [0, 1] for every row, also where values are missing"}
	}
	p, err := strconv.ParseFloat(string(number), 64)
	switch {
	case math.IsNaN(p):
		return 0, &AnswerError{Problem: "is NaN", Advice: "expected a number in [0, 1] for every row, also where values are missing"}
	case err != nil || p < -beyond || p > 1+beyond:
		return 0, &AnswerError{Problem: "is a number outside [0, 1]", Advice: "the server answers class labels or raw margins: " + labelAdvice + "; a margin becomes a probability by 1/(1+exp(-margin)) where it is a log-odds"}
	}
	r.whole = r.whole && (number == "0" || number == "1")
	return min(max(p, 0), 1), nil
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
