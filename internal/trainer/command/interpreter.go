package command

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/program"
)

// describePython asks an interpreter for its version and for the distributions it would import.
const describePython = `
import importlib.metadata, json, platform
names = sorted({"%s==%s" % (d.metadata["Name"], d.version) for d in importlib.metadata.distributions() if d.metadata["Name"]})
print(json.dumps({"interpreter": platform.python_implementation() + " " + platform.python_version(), "packages": names}))
`

// description is what is known of a program besides its bytes.
type description struct {
	Interpreter string   `json:"interpreter"`
	Packages    []string `json:"packages"`
}

const (
	describing     = time.Minute
	mostPackages   = 2000
	mostDescribing = 1 << 20
)

// describe asks an interpreter that Assay knows what it is. Of any other program nothing is said.
func (r *Runner) describe(ctx context.Context, path, folder string, environment []string) (description, error) {
	var d description
	if !strings.HasPrefix(filepath.Base(path), "python") {
		return d, nil
	}
	var answer []byte
	p, err := program.Start(ctx, program.Command{
		Path: path, Args: []string{"-c", describePython}, Dir: folder, Folder: folder, Env: environment, Policy: r.Policy,
		TimeLimit: describing, Grace: time.Second,
		Output: func(line []byte, _ bool) {
			if len(line) > 0 && line[0] == '{' && len(line) < mostDescribing {
				answer = slices.Clone(line)
			}
		},
	})
	if err != nil {
		return d, err
	}
	if _, err := p.Wait(); err != nil {
		return d, fmt.Errorf("ask the interpreter %s what it is: %w", path, err)
	}
	if err := json.Unmarshal(answer, &d); err != nil {
		return d, fmt.Errorf("ask the interpreter %s what it is: its answer is not understood: %w", path, err)
	}
	if len(d.Packages) > mostPackages {
		d.Packages = d.Packages[:mostPackages]
	}
	return d, nil
}

// digestOf is the SHA-256 of an executable's bytes.
func digestOf(path string) (artifact.Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return artifact.Digest{}, err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return artifact.Digest{}, err
	}
	return artifact.ParseDigest(fmt.Sprintf("sha256:%x", sum.Sum(nil)))
}
