package workers

import (
	"io"
	"log/slog"
)

// NewLogger logs from level on, as JSON lines or as text.
func NewLogger(w io.Writer, asJSON bool, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
