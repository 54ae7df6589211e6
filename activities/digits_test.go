package activities

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDigitsKeepZerosAtTheEnd(t *testing.T) {
	for _, c := range []struct {
		v    float64
		n    int
		want string
	}{
		{0.91, 4, "0.9100"}, {0.12, 3, "0.120"}, {0.00883, 3, "0.0088"}, {12.5, 3, "12.5"}, {1318.42, 4, "1318"}, {-0.0406, 3, "-0.0406"}, {0, 3, "0"}, {1, 3, "1.00"},
		{math.NaN(), 3, "NaN"},
	} {
		require.Equal(t, c.want, digits(c.v, c.n))
	}
}
