package table

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
	"github.com/assay-ml/assay/internal/spec"
	"github.com/assay-ml/assay/internal/synthetic"
)

// Formats of source files.
const (
	FormatCSV     = "csv"
	FormatParquet = "parquet"
	FormatJSONL   = "jsonl"
)

// Local is a source brought to this machine.
type Local struct {
	Path   string          `json:"path"`
	Format string          `json:"format"` // csv, parquet or jsonl
	Digest artifact.Digest `json:"digest"` // of the file's bytes as they are
	Size   int64           `json:"size"`   // bytes
	URI    string          `json:"uri"`    // where it came from, without credentials
}

// Fetch brings a source to a local file and measures it. Paths and file:// stay where they are; https:// (and http:// of
// this machine) is downloaded to dir; synthetic://credit?rows=N&seed=S (and drift=D) is generated into dir. Other
// schemes are refused.
func Fetch(ctx context.Context, src spec.Source, dir string) (Local, error) {
	shown := Redact(src.URI)
	scheme, _, hasScheme := strings.Cut(src.URI, "://")
	if !hasScheme {
		scheme = "file"
	}
	local := Local{URI: shown}
	var err error
	switch strings.ToLower(scheme) {
	case "file":
		local.Path = strings.TrimPrefix(src.URI, "file://")
	case "http", "https":
		local.Path, err = download(ctx, src.URI, dir)
	case "synthetic":
		local.Path, err = generate(src.URI, dir)
	default:
		err = fmt.Errorf("scheme %q is not available yet; expected a path, file://, https:// or synthetic://", scheme)
	}
	if err != nil {
		return Local{}, fmt.Errorf("fetch source %q: %w", shown, err)
	}
	if local.Format, err = formatOf(src, local.Path); err != nil {
		return Local{}, fmt.Errorf("fetch source %q: %w", shown, err)
	}
	if local.Digest, local.Size, err = digestFile(ctx, local.Path); err != nil {
		return Local{}, fmt.Errorf("read source %q: %w", shown, err)
	}
	if local.Size == 0 {
		return Local{}, fmt.Errorf("read source %q: %w", shown, errEmpty)
	}
	return local, nil
}

var errEmpty = errors.New("the file is empty; expected a header line and at least one row")

// Redact is a URI without user, password, query and fragment unless it is synthetic, whose query holds no secret.
func Redact(uri string) string {
	if strings.HasPrefix(uri, "synthetic://") || !strings.Contains(uri, "://") {
		return uri
	}
	u, err := url.Parse(uri)
	if err != nil {
		scheme, _, _ := strings.Cut(uri, "://")
		return scheme + "://(unreadable)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

func formatOf(src spec.Source, path string) (string, error) {
	switch src.Format {
	case FormatCSV, FormatParquet, FormatJSONL:
		return src.Format, nil
	case "":
	default:
		return "", fmt.Errorf("format %q; expected csv, parquet or jsonl", src.Format)
	}
	switch ext := strings.ToLower(filepath.Ext(strings.TrimSuffix(path, ".gz"))); ext {
	case ".csv", ".tsv", ".txt", ".data", ".test", ".train":
		return FormatCSV, nil
	case ".parquet", ".pq":
		return FormatParquet, nil
	case ".jsonl", ".ndjson", ".json":
		return FormatJSONL, nil
	default:
		return "", fmt.Errorf("the extension %q does not tell the format; set format to csv, parquet or jsonl", ext)
	}
}

func digestFile(ctx context.Context, path string) (artifact.Digest, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return artifact.Digest{}, 0, fmt.Errorf("there is no file %q; expected the path of a file this worker can read", path)
		}
		if errors.Is(err, fs.ErrPermission) { // not wrapped: waiting does not change it
			return artifact.Digest{}, 0, fmt.Errorf("this worker may not read the file %q; give its user the right to", path)
		}
		return artifact.Digest{}, 0, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return artifact.Digest{}, 0, fmt.Errorf("%q is not a regular file; expected one file of rows", path)
	}
	h := sha256.New()
	size, err := io.Copy(h, contextReader{ctx, f})
	if err != nil {
		return artifact.Digest{}, 0, err
	}
	digest, err := artifact.ParseDigest("sha256:" + hex.EncodeToString(h.Sum(nil)))
	return digest, size, err
}

// contextReader stops a long read when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func download(ctx context.Context, uri, dir string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", errors.New("the address cannot be read; expected https://host/path")
	}
	if err := allowed(u); err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return "", errors.New("the address cannot be read; expected https://host/path")
	}
	request.Header.Set("Accept-Encoding", "identity") // the digest is of the file as it is published
	client := http.Client{CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if len(via) > 5 {
			return errors.New("more than five redirections")
		}
		return allowed(next.URL)
	}}
	response, err := client.Do(request)
	if err != nil {
		var shown *url.Error // its text repeats the address with credentials
		if errors.As(err, &shown) {
			err = shown.Err
		}
		return "", transientError{fmt.Errorf("download: %w", err)}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		err := fmt.Errorf("download: the server answered %s; expected 200 OK", response.Status)
		if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
			err = transientError{err}
		}
		return "", err
	}
	return save(response, filepath.Join(dir, "download-"+filepath.Base(u.Path)))
}

func allowed(u *url.URL) error {
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return fmt.Errorf("%s:// is refused, since anyone on the way could change the rows; expected https://", u.Scheme)
	}
	return nil
}

// save writes a body to path, which appears only when complete.
func save(response *http.Response, path string) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".download-")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	n, err := io.Copy(f, response.Body)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", transientError{fmt.Errorf("download: stopped after %d bytes: %w", n, err)}
	}
	if response.ContentLength >= 0 && n != response.ContentLength {
		return "", transientError{fmt.Errorf("download: got %d bytes of %d; try again", n, response.ContentLength)}
	}
	return path, os.Rename(f.Name(), path)
}

func generate(uri, dir string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", err
	}
	if u.Host != "credit" {
		return "", fmt.Errorf("no generator %q; expected synthetic://credit?rows=N&seed=S", u.Host)
	}
	options := synthetic.Options{Rows: 20000, Seed: 7}
	for key, values := range u.Query() {
		value := values[len(values)-1]
		switch key {
		case "rows":
			options.Rows, err = strconv.Atoi(value)
		case "seed":
			options.Seed, err = strconv.ParseUint(value, 10, 64)
		case "drift":
			options.Drift, err = strconv.ParseFloat(value, 64)
		default:
			return "", fmt.Errorf("unknown parameter %q; expected rows, seed or drift", key)
		}
		if err != nil {
			return "", fmt.Errorf("parameter %s=%q; expected a number", key, value)
		}
	}
	if err := options.Check(); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, ".credit-")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(synthetic.WriteCSV(f, options), f.Close()); err != nil {
		return "", fmt.Errorf("write generated rows: %w", err)
	}
	name := fmt.Sprintf("credit-%d-%d-%s.csv", options.Rows, options.Seed, strconv.FormatFloat(options.Drift, 'g', -1, 64))
	path := filepath.Join(dir, name)
	return path, os.Rename(f.Name(), path)
}
