package command

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/program"
)

// describePython asks an interpreter for its version and for the distributions it would import, in lines short enough to
// be read whole.
const describePython = `
import importlib.metadata, json, platform
names = sorted({"%s==%s" % (d.metadata["Name"], d.version) for d in importlib.metadata.distributions() if d.metadata["Name"]})
print(json.dumps({"interpreter": platform.python_implementation() + " " + platform.python_version()}))
for i in range(0, len(names), 100):
    print(json.dumps({"packages": names[i:i + 100]}))
`

// description is what is known of a program besides its bytes.
type description struct {
	Interpreter string   `json:"interpreter"`
	Packages    []string `json:"packages"`
}

const (
	describing   = time.Minute
	mostPackages = 2000
)

// describe asks an interpreter that Assay knows what it is. Of any other program nothing is said.
func (r *Runner) describe(ctx context.Context, path, folder string, environment []string) (description, error) {
	var d description
	if !strings.HasPrefix(filepath.Base(path), "python") {
		return d, nil
	}
	understood := true
	p, err := program.Start(ctx, program.Command{
		Path: path, Args: []string{"-c", describePython}, Dir: folder, Folder: folder, Env: environment, Policy: r.Policy,
		TimeLimit: describing, Grace: time.Second,
		Output: func(line []byte, truncated bool) {
			if len(line) == 0 || line[0] != '{' { // of the interpreter's own start
				return
			}
			var part description
			understood = understood && !truncated && json.Unmarshal(line, &part) == nil
			d.Interpreter = cmp.Or(part.Interpreter, d.Interpreter)
			if len(d.Packages) < mostPackages {
				d.Packages = append(d.Packages, part.Packages...)
			}
		},
	})
	if err != nil {
		return d, err
	}
	if _, err := p.Wait(); err != nil {
		return d, fmt.Errorf("ask the interpreter %s what it is: %w", path, err)
	}
	if !understood || d.Interpreter == "" {
		return d, fmt.Errorf("ask the interpreter %s what it is: its answer is not understood; expected what Python prints", path)
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
