// Package labelling asks people for the labels of test rows, and keeps what they answer. Labels cost money, so that a gate
// asks for those rows only that its decision needs (Renggli et al.: Continuous Integration of Machine Learning Models
// with ease.ml/ci, SysML 2019, section 4.1.2: active labelling), and a label that was given is never asked for again.
//
// A request is the immutable document labels/requests/<model>/<test set>/<id>.json. The labels of a test set are one
// document, labels/answers/<model>/<test set>.json, changed by put-if-match only; a label that stands is never replaced.
package labelling

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/registry"
	"github.com/assay-ml/assay/internal/sealed"
)

const (
	requestsFolder = "labels/requests"
	requestFormat  = "assay/label-request/v1"
	idLength       = 16 // hexadecimal digits
)

// Bounds of what is kept. Lengths are in bytes.
const (
	MaxRows   = 1_000_000 // labels of a test set, and rows of a request
	MaxLabel  = 1000      // length of a label
	MaxName   = 1000      // length of the name of a column, a lifecycle or a person
	MaxReason = 4000      // length of a request's reason
)

// Request asks for the labels of some rows of a test set. Two requests for the same labels are one: the ID is made of
// Model, TestSet, Column, Classes, Numeric and Rows.
type Request struct {
	Format         string          `json:"format"`
	ID             string          `json:"id"`
	Model          string          `json:"model"`
	Lifecycle      string          `json:"lifecycle"` // that asked first
	TestSet        artifact.Digest `json:"test_set"`
	Column         string          `json:"column"`                   // whose values are asked for
	Classes        []string        `json:"classes,omitempty"`        // accepted answers; none where Numeric
	Numeric        bool            `json:"numeric,omitempty"`        // the answers are numbers
	Rows           []int64         `json:"rows"`                     // numbers as in the column _row, from 1, ascending
	Representative []int64         `json:"representative,omitempty"` // those of Rows that stand for the whole test set
	Chosen         []int64         `json:"chosen,omitempty"`         // those of Rows on which candidate and champion differ
	Sheet          artifact.Ref    `json:"sheet"`                    // CSV of the rows, for the people who label
	Created        time.Time       `json:"created"`
	Reason         string          `json:"reason"` // one sentence that says what the labels are needed for
}

// RequestName is the document of a request.
func RequestName(model string, testSet artifact.Digest, id string) string {
	return requestsFolder + "/" + model + "/" + testSet.Hex() + "/" + id + ".json"
}

// Identify gives the ID of a request: the first 16 hexadecimal digits of a hash of what is asked.
func (r Request) Identify() (string, error) {
	asked, err := artifact.EncodeJSON(struct { // the names and their order are part of every ID
		Model   string          `json:"model"`
		TestSet artifact.Digest `json:"test_set"`
		Column  string          `json:"column"`
		Classes []string        `json:"classes,omitempty"`
		Numeric bool            `json:"numeric"`
		Rows    []int64         `json:"rows"`
	}{r.Model, r.TestSet, r.Column, r.Classes, r.Numeric, r.Rows})
	if err != nil {
		return "", err
	}
	return artifact.Sum(asked).Hex()[:idLength], nil
}

// Ask puts a request before people and returns the one that stands: r with its Format and ID, or the request for the same
// labels that was asked first, also when two ask at once. The sheet must be stored already.
func Ask(ctx context.Context, s artifact.Store, r Request) (Request, error) {
	standing, err := ask(ctx, s, r)
	if err != nil {
		return Request{}, fmt.Errorf("ask for labels of model %q: %w", r.Model, err)
	}
	return standing, nil
}

func ask(ctx context.Context, s artifact.Store, r Request) (Request, error) {
	r.Format, r.Created = requestFormat, r.Created.UTC()
	id, err := r.Identify()
	if err != nil {
		return Request{}, err
	}
	if r.ID != "" && r.ID != id {
		return Request{}, fmt.Errorf("id %q: expected none, or %q, which what is asked gives", r.ID, id)
	}
	r.ID = id
	if err := r.check(); err != nil {
		return Request{}, err
	}
	has, err := s.Has(ctx, r.Sheet.Digest)
	if err != nil {
		return Request{}, err
	}
	if !has {
		return Request{}, fmt.Errorf("the sheet of the rows, blob %s: %w; expected it to be stored first", r.Sheet.Digest, artifact.ErrNotFound)
	}
	err = request(s, r.Model, r.TestSet, id).Create(ctx, r)
	if !errors.Is(err, artifact.ErrExists) {
		return r, err
	}
	return read(ctx, s, r.Model, r.TestSet, id)
}

func request(s artifact.Store, model string, testSet artifact.Digest, id string) sealed.Document[Request] {
	return sealed.Document[Request]{Store: s, Name: RequestName(model, testSet, id), Check: func(r Request) error {
		if r.Model != model || r.TestSet != testSet || r.ID != id {
			return fmt.Errorf("it is request %q of test set %q of model %q; expected %s of %s of model %q", r.ID, r.TestSet, r.Model, id, testSet, model)
		}
		if made, err := r.Identify(); err != nil || made != id {
			return fmt.Errorf("it is request %q, but what it asks gives the id %q", id, made)
		}
		return r.check()
	}}
}

func read(ctx context.Context, s artifact.Store, model string, testSet artifact.Digest, id string) (Request, error) {
	r, _, err := request(s, model, testSet, id).Get(ctx)
	return r, err
}

// check reports what makes a request impossible to answer.
func (r Request) check() error {
	if r.Format != requestFormat {
		return fmt.Errorf("format %q: expected %q; a newer program may have written it", r.Format, requestFormat)
	}
	if err := checkSet(r.Model, r.TestSet); err != nil {
		return err
	}
	for _, c := range []struct {
		what, text string
		most       int
	}{{"lifecycle", r.Lifecycle, MaxName}, {"column", r.Column, MaxName}, {"reason", r.Reason, MaxReason}} {
		if err := checkLine(c.what, c.text, c.most); err != nil {
			return err
		}
	}
	if r.Sheet.Digest.IsZero() || r.Sheet.Size < 0 {
		return fmt.Errorf("sheet %q of %d bytes: expected the ref of a stored CSV of the rows", r.Sheet.Digest, r.Sheet.Size)
	}
	if err := checkTime(r.Created); err != nil {
		return err
	}
	if err := r.checkClasses(); err != nil {
		return err
	}
	return r.checkRows()
}

func (r Request) checkClasses() error {
	if r.Numeric && len(r.Classes) > 0 {
		return fmt.Errorf("%d classes for numbers: expected classes, or Numeric, and not both", len(r.Classes))
	}
	if !r.Numeric && len(r.Classes) < 2 {
		return fmt.Errorf("%d classes: expected at least two answers to choose from, or Numeric", len(r.Classes))
	}
	seen := make(map[string]bool, len(r.Classes))
	for _, class := range r.Classes {
		if err := checkText("class", class, MaxLabel); err != nil {
			return err
		}
		if seen[class] {
			return fmt.Errorf("class %q is there twice", class)
		}
		seen[class] = true
	}
	return nil
}

func (r Request) checkRows() error {
	if len(r.Rows) == 0 || len(r.Rows) > MaxRows {
		return fmt.Errorf("%d rows: expected 1 to %d", len(r.Rows), MaxRows)
	}
	for _, list := range [][]int64{r.Rows, r.Representative, r.Chosen} {
		for i, row := range list {
			if row < 1 || i > 0 && row <= list[i-1] {
				return fmt.Errorf("row %d at place %d: expected row numbers from 1 in ascending order, each once", row, i+1)
			}
		}
	}
	why := slices.Concat(r.Representative, r.Chosen)
	slices.Sort(why)
	if why = slices.Compact(why); !slices.Equal(why, r.Rows) {
		return fmt.Errorf("%d rows, and %d that are representative or chosen: expected every row to be one or both, and no other", len(r.Rows), len(why))
	}
	return nil
}

func checkSet(model string, testSet artifact.Digest) error {
	if err := registry.CheckName(model); err != nil {
		return err
	}
	if testSet.IsZero() {
		return errors.New("no test set is named; expected its digest")
	}
	return nil
}

// checkText wants something that a person can read.
func checkText(what, text string, most int) error {
	switch {
	case strings.TrimSpace(text) == "":
		return fmt.Errorf("%s %q: expected text", what, text)
	case !utf8.ValidString(text):
		return fmt.Errorf("%s %q: expected UTF-8", what, text)
	case len(text) > most:
		return fmt.Errorf("%s of %d bytes: expected at most %d", what, len(text), most)
	}
	return nil
}

// checkLine wants text of one line.
func checkLine(what, text string, most int) error {
	if strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("%s %q: expected one line without control characters", what, text)
	}
	return checkText(what, text, most)
}

func checkTime(at time.Time) error {
	if y := at.UTC().Year(); at.IsZero() || y < 0 || y > 9999 {
		return fmt.Errorf("time %v: expected a time in the years 0 to 9999", at)
	}
	return nil
}

// answer gives the label that text stands for, as it is kept, or says what is wrong with it.
func (r Request) answer(text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", errors.New("it has no label")
	}
	if len(text) > MaxLabel {
		return "", fmt.Errorf("its label has %d bytes; expected at most %d", len(text), MaxLabel)
	}
	if r.Numeric {
		return number(strings.TrimSpace(text))
	}
	if slices.Contains(r.Classes, text) {
		return text, nil
	}
	same := func(class string) bool { return strings.TrimSpace(class) == strings.TrimSpace(text) }
	if i := slices.IndexFunc(r.Classes, same); i >= 0 && !slices.ContainsFunc(r.Classes[i+1:], same) {
		return r.Classes[i], nil
	}
	return "", fmt.Errorf("label %q: %s", text, expectedClass(text, r.Classes))
}

// number wants a decimal number and keeps it as it is written.
func number(text string) (string, error) {
	v, ok := parseNumber(text)
	switch {
	case ok && !math.IsInf(v, 0):
		return text, nil
	case ok:
		return "", fmt.Errorf("label %q: expected a number of at most %g", text, math.MaxFloat64)
	}
	if _, ok := parseNumber(strings.Replace(text, ",", ".", 1)); ok {
		return "", fmt.Errorf("label %q: expected a number with a decimal point, such as 1.5, and nothing between thousands", text)
	}
	return "", fmt.Errorf("label %q: expected a number, such as 12, -0.5 or 1e6", text)
}
