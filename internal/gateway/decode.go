package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/assay-ml/assay/internal/model"
	"github.com/assay-ml/assay/internal/table"
)

// readJSON reads a body of at most limit bytes into v.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return problem(http.StatusRequestEntityTooLarge, "read the request: its body is larger than %d bytes; send fewer rows at a time", limit)
	}
	if err != nil {
		return problem(http.StatusBadRequest, "read the request: the body ended early or came too slowly")
	}
	if at := invalidUTF8(body); at >= 0 {
		return problem(http.StatusBadRequest, "read the request: the byte at offset %d is not UTF-8; JSON must be UTF-8", at)
	}
	return decodeJSON(body, v)
}

func invalidUTF8(body []byte) int {
	if utf8.Valid(body) {
		return -1
	}
	at := 0
	for at < len(body) {
		r, size := utf8.DecodeRune(body[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

// decodeJSON reports where a body goes wrong without repeating any of it.
func decodeJSON(body []byte, v any) error {
	err := json.Unmarshal(body, v)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case len(body) == 0:
		return problem(http.StatusBadRequest, "read the request: the body is empty; expected a JSON object")
	case errors.As(err, &syntax):
		return problem(http.StatusBadRequest, "read the request: the body is not JSON: it goes wrong at offset %d of %d bytes", syntax.Offset, len(body))
	case errors.As(err, &kind) && kind.Field != "":
		return problem(http.StatusBadRequest, "read the request: %q before offset %d: expected %s", kind.Field, kind.Offset, jsonKind(kind.Type.Kind().String()))
	default:
		return problem(http.StatusBadRequest, "read the request: expected a JSON object")
	}
}

func jsonKind(goKind string) string {
	switch goKind {
	case "slice":
		return "an array"
	case "map", "struct":
		return "an object"
	case "string":
		return "a string"
	default:
		return "a whole number"
	}
}

// maxID bounds what a caller can make the log keep with each row.
const maxID = 256

// checkForm checks what does not depend on a model's schema.
func (r *inferRequest) checkForm() error {
	if len(r.ID) > maxID {
		return problem(http.StatusBadRequest, "the request's id is longer than %d bytes", maxID)
	}
	if len(r.Inputs) > 0 && len(r.Instances) > 0 {
		return problem(http.StatusBadRequest, `the request has both "inputs" and "instances"; expected one of them`)
	}
	if len(r.Inputs) == 0 && len(r.Instances) == 0 {
		return problem(http.StatusBadRequest, `the request has no rows; expected "inputs" with one tensor per feature, or "instances" with one object per row`)
	}
	seen := map[string]bool{}
	for i := range r.Inputs {
		t := &r.Inputs[i]
		if seen[t.Name] {
			return problem(http.StatusBadRequest, "input %q appears twice", t.Name)
		}
		seen[t.Name] = true
		if err := t.checkShape(); err != nil {
			return err
		}
		if first := &r.Inputs[0]; t.Shape[0] != first.Shape[0] {
			return problem(http.StatusBadRequest, "input %q has %d rows, input %q has %d; expected the same number in all", t.Name, t.Shape[0], first.Name, first.Shape[0])
		}
	}
	return nil
}

// checkOutputs checks that a model has the outputs that were asked for.
func (r *inferRequest) checkOutputs(s model.Schema) error {
	have := outputsOf(s)
	for _, asked := range r.Outputs {
		if slices.ContainsFunc(have, func(o metadataTensor) bool { return o.Name == asked.Name }) {
			continue
		}
		if len(have) > 1 {
			return problem(http.StatusBadRequest, "there is no output %q; the model has two outputs, %q and %q", asked.Name, have[0].Name, have[1].Name)
		}
		return problem(http.StatusBadRequest, "there is no output %q; a model has one output, %q", asked.Name, have[0].Name)
	}
	return nil
}

// wants reports whether an output was asked for, as all are when none is named.
func (r *inferRequest) wants(output string) bool {
	return len(r.Outputs) == 0 || slices.ContainsFunc(r.Outputs, func(o requestedOutput) bool { return o.Name == output })
}

// checkShape also brings nested data, [[1], [2]], which the protocol allows for shape [n, 1], into its flat form.
func (t *inputTensor) checkShape() error {
	if ok := len(t.Shape) == 1 || len(t.Shape) == 2 && t.Shape[1] == 1; !ok || t.Shape[0] < 1 {
		return problem(http.StatusBadRequest, "input %q: expected the shape [n] or [n, 1] with n of at least 1, one value per row", t.Name)
	}
	if len(t.Data) != t.Shape[0] {
		return problem(http.StatusBadRequest, `input %q: its shape says %d rows, its "data" holds %d`, t.Name, t.Shape[0], len(t.Data))
	}
	if len(t.Shape) == 1 {
		return nil
	}
	for i, raw := range t.Data {
		if raw[0] != '[' {
			continue
		}
		var inner []json.RawMessage
		if err := json.Unmarshal(raw, &inner); err != nil || len(inner) != 1 {
			return problem(http.StatusBadRequest, "input %q, row %d: expected one value", t.Name, i)
		}
		t.Data[i] = inner[0]
	}
	return nil
}

// count is the number of rows of a request whose form is right.
func (r *inferRequest) count() int {
	if len(r.Inputs) > 0 {
		return r.Inputs[0].Shape[0]
	}
	return len(r.Instances)
}

// rows gives each row's features as the log keeps them: float64, string, or nil where missing.
func (r *inferRequest) rows(s model.Schema) ([]map[string]any, error) {
	rows := make([]map[string]any, r.count())
	for i := range rows {
		rows[i] = make(map[string]any, len(s.Features))
	}
	for _, f := range s.Features {
		if err := r.fill(rows, f); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (r *inferRequest) fill(rows []map[string]any, f model.Feature) error {
	if len(r.Instances) > 0 {
		for i, instance := range r.Instances {
			raw, ok := instance[f.Name]
			if !ok {
				return problem(http.StatusBadRequest, "row %d: feature %q is missing; expected %s, or null where unknown", i, f.Name, wanted(f.Kind))
			}
			if err := put(rows[i], i, f, raw, ""); err != nil {
				return err
			}
		}
		return nil
	}
	at := slices.IndexFunc(r.Inputs, func(t inputTensor) bool { return t.Name == f.Name })
	if at < 0 {
		return problem(http.StatusBadRequest, "feature %q is missing; expected an input tensor of that name with datatype %s", f.Name, strings.Join(datatypes(f.Kind), ", "))
	}
	t := r.Inputs[at]
	if !slices.Contains(datatypes(f.Kind), t.Datatype) {
		return problem(http.StatusBadRequest, "feature %q: its tensor has datatype %q; expected %s", f.Name, t.Datatype, strings.Join(datatypes(f.Kind), ", "))
	}
	for i, raw := range t.Data {
		if err := put(rows[i], i, f, raw, t.Datatype); err != nil {
			return err
		}
	}
	return nil
}

func put(row map[string]any, i int, f model.Feature, raw json.RawMessage, datatype string) error {
	v, ok := value(f.Kind, datatype, raw)
	if !ok {
		expected := wanted(f.Kind)
		if datatype != "" {
			expected = "a value of datatype " + datatype
		}
		return problem(http.StatusBadRequest, "row %d: feature %q: expected %s, or null where unknown", i, f.Name, expected)
	}
	row[f.Name] = v
	return nil
}

func wanted(kind table.Kind) string {
	if kind == table.Numeric {
		return "a number"
	}
	return "a string"
}

func datatypes(kind table.Kind) []string {
	if kind == table.Numeric {
		return []string{"FP64", "FP32", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8", "BOOL"}
	}
	return []string{"BYTES", "BOOL"}
}

// value reads one JSON value as a feature of a kind. datatype is the tensor's, or "" in instances, where the JSON
// itself says what it is.
func value(kind table.Kind, datatype string, raw json.RawMessage) (any, bool) {
	switch raw[0] {
	case 'n':
		return nil, true
	case 't', 'f':
		return boolean(kind, raw[0] == 't'), datatype == "" || datatype == "BOOL"
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err == nil && kind == table.Categorical && (datatype == "" || datatype == "BYTES")
	case '[', '{':
		return nil, false
	default:
		v, ok := number(datatype, string(raw))
		return v, ok && kind == table.Numeric
	}
}

func boolean(kind table.Kind, b bool) any {
	switch {
	case kind == table.Categorical:
		return strconv.FormatBool(b)
	case b:
		return 1.0
	default:
		return 0.0
	}
}

// number reads a JSON number as its datatype demands: in range, and whole for the integers. Values of FP32 are
// taken as written, since a client's 0.1 means the 0.1 of training.
func number(datatype, text string) (float64, bool) {
	switch prefix := strings.TrimRight(datatype, "0123456789"); prefix {
	case "INT":
		v, err := strconv.ParseInt(text, 10, bits(datatype))
		return float64(v), err == nil
	case "UINT":
		v, err := strconv.ParseUint(text, 10, bits(datatype))
		return float64(v), err == nil
	case "FP", "":
		v, err := strconv.ParseFloat(text, 64)
		return v, err == nil && (datatype != "FP32" || math.Abs(v) <= math.MaxFloat32)
	default:
		return 0, false
	}
}

func bits(datatype string) int {
	n, _ := strconv.Atoi(strings.TrimLeft(datatype, "UINT"))
	return n
}
