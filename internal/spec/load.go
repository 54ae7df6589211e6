package spec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Options change how a spec file is read.
type Options struct {
	// Env looks up the environment variables that ${NAME} stands for; nil is the environment of this process.
	Env func(name string) (value string, ok bool)

	// Set holds overrides "path=value", applied in order after the file was read. Elements of lists are counted from 0:
	// "gates.conditions[0]=auc > 0.8"; the index after the last adds one. Text fields take the value as it stands, without
	// quotes; mappings and lists take YAML such as {traffic: 5, hold: 10m}. ${NAME} is not filled in here: the shell does that.
	Set []string
}

// Load reads the spec file at path, fills in defaults and makes relative paths in it absolute, relative to the file's
// folder. An error about its content is an *Error with every problem found.
func Load(path string, opt Options) (*Spec, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	s, err := Parse(path, data, opt)
	if err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("read spec %q: find its folder: %w", path, err)
	}
	s.ResolvePaths(folder)
	return s, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read spec %q: there is no such file; expected the path of a YAML file such as examples/credit.yaml", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read spec: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read spec: %w", err)
	}
	if len(data) > maxBytes {
		return nil, fault(path, 1, 1, "the file is too large", fmt.Sprintf("expected at most %d bytes; rows belong into a file that data.source names", maxBytes))
	}
	return data, nil
}

// Parse reads a spec from YAML and fills in defaults; name stands for the file in messages. Paths stay as they are. An
// error is an *Error with every problem found.
func Parse(name string, yaml []byte, opt Options) (*Spec, error) {
	root, problems, err := readYAML(name, yaml)
	if err != nil {
		return nil, err
	}
	env := opt.Env
	if env == nil {
		env = os.LookupEnv
	}
	fillIn(root, "", env, &problems)
	problems = append(problems, applySets(root, opt.Set)...)
	return decode(name, root, problems)
}

// inputName stands for the file in problems of specs that came as JSON.
const inputName = "input"

// ParseJSON reads a spec from the JSON that clients send in a workflow's input, as strictly as Parse. ${NAME} is not
// filled in: the environment of whoever reads it is not the sender's. An error is an *Error with every problem found.
func ParseJSON(data []byte) (*Spec, error) {
	root, problems, err := readJSON(inputName, data)
	if err != nil {
		return nil, err
	}
	return decode(inputName, root, problems)
}

func decode(name string, root *node, problems []Problem) (*Spec, error) {
	if root.kind != mapNode {
		return nil, fault(name, root.at.line, root.at.column, root.describe(), "expected a mapping with apiVersion, kind, model and so on")
	}
	d := &decoder{file: name, problems: problems, nodes: map[string]*node{}, names: map[string]position{}}
	for _, p := range problems {
		if p.Path != "" {
			d.bad = append(d.bad, p.Path)
		}
	}
	var s Spec
	d.value(root, reflect.ValueOf(&s).Elem(), "", rule{})
	d.check(&s)
	if len(d.problems) > 0 {
		sortProblems(name, d.problems)
		return nil, &Error{Name: name, Problems: d.problems}
	}
	s = s.WithDefaults()
	return &s, nil
}

// ResolvePaths makes relative paths of data sources and of the training program's code absolute, taking them from the
// folder baseDir. Addresses with a scheme stay as they are.
func (s *Spec) ResolvePaths(baseDir string) {
	s.Data.Source.resolve(baseDir)
	if s.Data.Split.TestSource != nil {
		s.Data.Split.TestSource.resolve(baseDir)
	}
	s.Evaluate.Metrics = slices.Clone(s.Evaluate.Metrics) // for the same reason as below
	for i, m := range s.Evaluate.Metrics {
		if m.Code != "" && !filepath.IsAbs(m.Code) {
			s.Evaluate.Metrics[i].Code = filepath.Join(baseDir, m.Code)
		}
	}
	if c := s.Train.Command; c != nil && c.Code != "" && !filepath.IsAbs(c.Code) {
		resolved := *c // the spec this one was copied from may share the command
		resolved.Code = filepath.Join(baseDir, c.Code)
		s.Train.Command = &resolved
	}
}

func (s *Source) resolve(baseDir string) {
	if s.URI == "" || strings.Contains(s.URI, "://") || filepath.IsAbs(s.URI) {
		return
	}
	s.URI = filepath.Join(baseDir, s.URI)
}
