package functional

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// cities are loans of so many cities.
func cities(t *testing.T, rows, count int, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cities.csv")
	content := loans(rows, func(line int, fields []string) []string {
		if line > 0 {
			fields[2] = fmt.Sprintf(name, line*7919%count)
		}
		return fields
	})
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestFiveHundredGroupsReachTheReviewers(t *testing.T) {
	t.Parallel()
	l := start(t, loanSpec("five-hundred-groups", cities(t, 10_000, 500, "city <b>%d</b>"),
		with("data.protected", []any{"city"}), with("gates.conditions", []any{"auc > 0.5"})))
	l.underReview()
	page := starter(t, "dossier", l.id)
	require.Zero(t, page.status, page.err)
	require.Less(t, len(page.out), 2<<20)
	require.False(t, strings.Contains(page.out, "<b>"), "names of groups stay text")
	require.True(t, strings.Contains(page.out, "city &lt;b&gt;"))
	_, section, found := strings.Cut(page.out, `<section id="treatment"`)
	require.True(t, found)
	section, _, _ = strings.Cut(section, "</section>")
	require.True(t, strings.Contains(section, "groups are not shown"), "what is left out is counted")
	for _, e := range events(t, l.id) {
		requireSmallPayloads(t, e)
	}
}

func TestAProtectedColumnOfOneValueHasNothingToCompare(t *testing.T) {
	t.Parallel()
	data := cities(t, 2000, 1, "city-%d")
	l := start(t, loanSpec("one-group", data, with("data.protected", []any{"city"})))
	l.underReview()
	page := starter(t, "dossier", l.id)
	require.Zero(t, page.status, page.err)
	require.True(t, strings.Contains(page.out, "fewer than two groups"))

	// A condition on the gap cannot be met, nor can it be missed.
	on := another(t, "gap", loanSpec("one-group", data, with("data.protected", []any{"city"}),
		with("gates.conditions", []any{"demographic_parity_difference[city] < 0.1"})))
	on.underReview()
	require.Equal(t, "inconclusive", dossierOf(t, on.id).Gate.Verdict)
}

func TestAProtectedColumnThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	l := start(t, loanSpec("protected-absent", cities(t, 200, 5, "city-%d"), with("data.protected", []any{"race"})))
	requireFailsAt(t, l, "validate", "data.protected", `"race"`, `"city"`)
}
