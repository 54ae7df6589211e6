package table

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// cutOff makes a view "data" of the rows of a Parquet file, with their numbers in _row, and closes the session for SQL
// that a user wrote: no files but those named, no network, no extensions, no way to change that.
func (s *session) cutOff(ctx context.Context, data string, others ...string) error {
	if err := s.exec(ctx, "CREATE VIEW data AS SELECT * FROM "+numbered(data)); err != nil {
		return err
	}
	for _, setting := range []string{
		"SET allowed_paths = [" + texts(append(others, data)) + "]",
		"SET allow_unredacted_secrets = false",
		"SET enable_external_access = false",
		"SET lock_configuration = true",
	} {
		if err := s.exec(ctx, setting); err != nil {
			return fmt.Errorf("cut the session off: %w", err)
		}
	}
	return nil
}

// checkSelect refuses SQL that is not one SELECT statement, or that answers differently when it is run again.
func (s *session) checkSelect(ctx context.Context, query string) error {
	var tree string
	if err := s.row(ctx, "SELECT json_serialize_sql("+text(query)+")::VARCHAR", &tree); err != nil {
		return duckMessage(err)
	}
	var parsed struct {
		Error      bool              `json:"error"`
		Message    string            `json:"error_message"`
		Statements []json.RawMessage `json:"statements"`
	}
	if err := json.Unmarshal([]byte(tree), &parsed); err != nil {
		return err
	}
	if parsed.Error && strings.Contains(parsed.Message, "Only SELECT") {
		return errors.New("the SQL is not a SELECT statement; expected one SELECT over the table \"data\"")
	}
	if parsed.Error {
		return errors.New(parsed.Message)
	}
	if len(parsed.Statements) != 1 {
		return fmt.Errorf("the SQL holds %d statements; expected one SELECT over the table \"data\"", len(parsed.Statements))
	}
	return s.checkFunctions(ctx, parsed.Statements[0])
}

// checkFunctions refuses functions such as random() and now(): the same source must give the same rows.
func (s *session) checkFunctions(ctx context.Context, tree json.RawMessage) error {
	var node any
	if err := json.Unmarshal(tree, &node); err != nil {
		return err
	}
	used := functionNames(node, nil)
	if len(used) == 0 {
		return nil
	}
	var changing []string
	query := "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT' AND function_type IN ('scalar', 'macro') AND function_name IN (" +
		texts(used) + ") ORDER BY 1"
	err := s.each(ctx, query, func(v []any) error {
		changing = append(changing, v[0].(string))
		return nil
	})
	if err == nil && len(changing) > 0 {
		err = fmt.Errorf("the SQL uses %s(), which answers differently each time; expected functions of the rows alone", strings.Join(changing, "(), "))
	}
	return err
}

func functionNames(node any, names []string) []string {
	switch node := node.(type) {
	case map[string]any:
		if name, ok := node["function_name"].(string); ok && !slices.Contains(names, strings.ToLower(name)) {
			names = append(names, strings.ToLower(name))
		}
		for _, child := range node {
			names = functionNames(child, names)
		}
	case []any:
		for _, child := range node {
			names = functionNames(child, names)
		}
	}
	return names
}

// subquery is a checked SELECT as a table expression; the line break ends a comment at its end.
func subquery(query string) string {
	return "(" + strings.TrimRight(strings.TrimSpace(query), "; \n\t") + "\n)"
}

// duckMessage is what DuckDB says about a statement.
func duckMessage(err error) error {
	return errors.New(strings.TrimSpace(err.Error()))
}
