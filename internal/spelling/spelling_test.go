package spelling

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNearest(t *testing.T) {
	names := []string{"accuracy", "auc", "recall", "Female", "male"}
	for word, want := range map[string]string{
		"acuracy": "accuracy", "accuarcy": "accuracy", "RECALL": "recall", "female": "Female", "acu": "auc", "mlae": "male",
		"zebra": "", "": "", strings.Repeat("a", 65): "",
	} {
		got, found := Nearest(word, names)
		require.Equal(t, want, got, word)
		require.Equal(t, want != "", found, word)
	}
	_, found := Nearest("a", []string{strings.Repeat("a", 65)})
	require.False(t, found)
}

func TestSlipsAreADistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.StringN(0, 8, 16).Draw(t, "a"), rapid.StringN(0, 8, 16).Draw(t, "b")
		require.Equal(t, slips(a, b), slips(b, a))
		require.Equal(t, a == b, slips(a, b) == 0)
		require.LessOrEqual(t, slips(a, b), max(len(a), len(b)))
	})
}
