package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/stats"
)

// beyond is how far a score may lie outside [0, 1] and still be taken for the nearer end: sums of many rounded
// probabilities come out a little above 1.
const beyond = 1e-9

// labelRows is from how many rows on an answer of nothing but the whole numbers 0 and 1 is taken for class labels. Fewer may
// be probabilities of a model that is sure, written by a server that leaves the point away.
const labelRows = 50

// readAnswer gives the numbers in a body, want.width() for each of n rows. Errors are *AnswerError.
func readAnswer(contentType string, body []byte, n int, want expected) ([]float64, error) {
	body = bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\xef\xbb\xbf"))
	var elements []any
	var err error
	if isJSON(contentType, body) {
		elements, err = want.jsonElements(body)
	} else {
		elements = want.textElements(string(body), n)
	}
	if err != nil {
		return nil, err
	}
	if len(elements) != n {
		return nil, whole(fmt.Sprintf("it holds %d elements for %d rows", len(elements), n), want.shape())
	}
	r := reader{expected: want, whole: want.task != stats.Regression}
	scores := make([]float64, 0, n*want.width())
	for i, e := range elements {
		if scores, err = r.append(scores, i, e); err != nil {
			return nil, err
		}
	}
	if r.whole && n >= labelRows {
		problem := "every row has the whole number 0 or 1: class labels"
		if want.task == stats.Multiclass {
			problem = "every row has nothing but the whole numbers 0 and 1: class labels"
		}
		return nil, whole(problem, want.labels()+"; if they are probabilities indeed, write them with a point (1.0)")
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
func (want expected) jsonElements(body []byte) ([]any, error) {
	v, err := decode(body)
	if err != nil {
		// Python writes NaN and Infinity, which JSON does not have. With null in their place the row at fault is found.
		if v, err = decode(withoutNaN(body)); err != nil {
			return nil, whole("it is neither JSON nor lines of numbers", want.shape())
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
			return nil, whole(`it is an object without "predictions" and "outputs"`, want.shape())
		}
	}
	list, ok := v.([]any)
	if !ok {
		return nil, whole("where its list of rows should be there is "+nameOf(v), want.shape())
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

// textElements reads lines of p or p0,p1,... as lists of texts. Some servers write all rows of one number on one line.
func (want expected) textElements(body string, n int) []any {
	if body == "" {
		return nil
	}
	lines := strings.Split(body, "\n")
	if len(lines) == 1 && n > 1 && want.task != stats.Multiclass {
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
