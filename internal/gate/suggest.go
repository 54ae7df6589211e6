package gate

import (
	"fmt"
	"strings"

	"github.com/assay-ml/assay/internal/spelling"
)

// didYouMean ends a message about an unknown word.
func didYouMean(word string, names []string) string {
	if name, ok := spelling.Nearest(word, names); ok {
		return fmt.Sprintf("did you mean %q?", name)
	}
	return "expected one of " + strings.Join(names, ", ")
}
