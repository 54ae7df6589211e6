package program

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// split gives output in pieces of the sizes that pick chooses.
func split(text string, pick func(left int) int) (got []string) {
	l := lines{each: func(line []byte, truncated bool) { got = append(got, fmt.Sprintf("%s %v", line, truncated)) }}
	for len(text) > 0 {
		n := pick(len(text))
		l.write([]byte(text[:n]))
		text = text[n:]
	}
	l.close()
	return got
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", LongestLine)
	for name, given := range map[string]struct {
		text string
		want []string
	}{
		"none":                                  {"", nil},
		"one":                                   {"a\n", []string{"a false"}},
		"the last without an end":               {"a\nb", []string{"a false", "b false"}},
		"empty ones":                            {"\n\na\n", []string{" false", " false", "a false"}},
		"of Windows":                            {"a\r\nb\r\n\r\nc", []string{"a false", "b false", " false", "c false"}},
		"of a progress bar":                     {"\r10%\r20%\r\r30%\nend\n", []string{"10% false", "20% false", "30% false", "end false"}},
		"the longest":                           {long + "\nb\n", []string{long + " false", "b false"}},
		"longer than the longest":               {long + "y\nb\n", []string{long + " true", "b false"}},
		"endless":                               {long + long, []string{long + " true"}},
		"the longest, ended by the end of file": {long, []string{long + " false"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 7, 4096, 1 << 20} {
				require.Equal(t, given.want, split(given.text, func(left int) int { return min(left, size) }))
			}
		})
	}
}

func TestALineIsHandedOnAsSoonAsItIsTooLong(t *testing.T) {
	calls := 0
	l := lines{each: func([]byte, bool) { calls++ }}
	l.write(bytes.Repeat([]byte("x"), LongestLine))
	require.Zero(t, calls)
	l.write([]byte("x"))
	require.Equal(t, 1, calls)
}

func TestHowOutputArrivesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-c]{0,3}[\r\n]{1,3}){0,10}[a-c]{0,3}`).Draw(t, "text")
		whole := split(text, func(left int) int { return left })
		pieces := split(text, func(left int) int { return rapid.IntRange(1, left).Draw(t, "piece") })
		require.Equal(t, whole, pieces)
		require.Equal(t, strings.NewReplacer("\r", "", "\n", "").Replace(text), strings.ReplaceAll(strings.Join(pieces, ""), " false", ""))
	})
}

func TestTail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var kept tail
		all := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 0, 50).Draw(t, "lines")
		if rapid.Bool().Draw(t, "long") {
			all = append(all, bytes.Repeat([]byte("ä"), rapid.IntRange(990, 3000).Draw(t, "length")))
		}
		for _, line := range all {
			kept.add(line)
		}
		text := kept.String()
		require.True(t, utf8.ValidString(text))
		require.LessOrEqual(t, len(text), tailBytes)
		require.LessOrEqual(t, strings.Count(text, "\n"), tailLines-1)
		for _, r := range text {
			require.False(t, r < ' ' && r != '\n' && r != '\t', "control character %q", r)
		}
		if len(all) > 0 {
			require.True(t, strings.HasSuffix(text, strings.TrimSpace(lastBytes(printable(all[len(all)-1])))), "the last line is whole or its end is there")
		}
	})
}

func lastBytes(s string) string {
	return strings.ToValidUTF8(s[max(0, len(s)-tailBytes):], "")
}
