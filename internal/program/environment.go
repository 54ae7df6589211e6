package program

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// systemPath is where a program looks for other programs after its own folder.
var systemPath = []string{"/usr/local/bin", "/usr/bin", "/bin"}

// threadCounts are what numeric libraries read to learn how many threads to start. Without them a library starts one per
// processor of the machine, and they crowd the few processors that the policy leaves them.
var threadCounts = []string{"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"}

// Environment is the complete environment of a program, sorted by name, as NAME=value. It holds PATH (the program's own
// folder first), HOME and TMPDIR (folders below dir, which Start makes), LANG, the variables of the worker that the
// policy passes on, thread counts where the policy limits processors, and the spec's own variables, which win over all
// others. Nothing else of the worker's environment reaches a program: it holds credentials.
//
// dir is a folder of the run; program is the path that Policy.Resolve returned.
func Environment(policy Policy, dir, program string, spec map[string]string) []string {
	folders := systemPath
	if filepath.IsAbs(program) {
		own := filepath.Dir(program)
		folders = append([]string{own}, slices.DeleteFunc(slices.Clone(systemPath), func(f string) bool { return f == own })...)
	}
	env := map[string]string{
		"PATH":   strings.Join(folders, string(os.PathListSeparator)),
		"HOME":   filepath.Join(dir, "home"),
		"TMPDIR": filepath.Join(dir, "tmp"),
		"LANG":   "C.UTF-8",
	}
	if policy.CPUs > 0 {
		for _, name := range threadCounts {
			env[name] = strconv.Itoa(policy.CPUs)
		}
	}
	for _, name := range policy.PassEnv {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	maps.Copy(env, spec)
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}
