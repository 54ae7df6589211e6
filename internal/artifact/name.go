package artifact

import (
	"fmt"
	"io/fs"
	"strings"
	"unicode"
)

// maxNameElement is the longest element of a document name in bytes; file systems and object stores take more.
const maxNameElement = 200

// CheckName reports why name cannot name a document, or nil. A name is a relative slash-separated path in its shortest
// form. Elements that start with a dot and the folder blobs belong to the store itself.
func CheckName(name string) error {
	if !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("document name %q: expected a relative path such as models/credit/champion.json, without \"..\" or empty elements", name)
	}
	for element := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(element, ".") {
			return fmt.Errorf("document name %q: an element may not start with a dot", name)
		}
		if len(element) > maxNameElement {
			return fmt.Errorf("document name %q: an element may have at most %d bytes, this one has %d", name, maxNameElement, len(element))
		}
	}
	if name == blobsFolder || strings.HasPrefix(name, blobsFolder+"/") {
		return fmt.Errorf("document name %q: the folder %s holds blobs only; use Put", name, blobsFolder)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }) {
		return fmt.Errorf("document name %q: backslashes and control characters are not allowed", name)
	}
	return nil
}
