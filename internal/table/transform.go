package table

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-ml/assay/internal/artifact"
)

// transform writes the rows a user's SELECT makes of a snapshot to out, in a session of its own that is cut off from files
// and network, and describes its columns. Without SQL the rows are the snapshot's. Every row has a number in _row: that of
// the snapshot's row where the SELECT keeps the column _row (as select * does), otherwise its place in the result, which
// is then sorted by all columns, so that the order does not depend on the machine.
func transform(ctx context.Context, store artifact.Store, snap Snapshot, query, out string, lim Limits) ([]ColumnInfo, error) {
	path, release, err := store.Local(ctx, snap.Data)
	if err != nil {
		return nil, err
	}
	defer release()
	s, err := lim.open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if query == "" {
		return snap.Columns, s.writeParquet(ctx, "SELECT * FROM "+numbered(path), out)
	}
	if err := s.cutOff(ctx, path, out); err != nil {
		return nil, err
	}
	columns, err := s.transformed(ctx, query, out)
	if err != nil {
		return nil, fmt.Errorf("data.transform: %w", err)
	}
	return columns, nil
}

func (s *session) transformed(ctx context.Context, query, out string) ([]ColumnInfo, error) {
	if err := s.checkSelect(ctx, query); err != nil {
		return nil, err
	}
	names, types, err := s.columns(ctx, subquery(query))
	if err != nil {
		return nil, sqlError(err)
	}
	row := slices.Index(names, RowColumn)
	if row >= 0 && types[row] != "BIGINT" {
		return nil, fmt.Errorf("the column %s is %s; expected the row numbers of the table \"data\", or no such column", RowColumn, types[row])
	}
	var columns []ColumnInfo
	var list, order []string
	for i, name := range names {
		if i == row {
			continue
		}
		typ, ok := typeOf(types[i])
		if !ok {
			return nil, fmt.Errorf("the column %q is %s; expected integers, numbers, text, booleans, dates or timestamps", name, types[i])
		}
		columns = append(columns, newColumnInfo(name, typ))
		list = append(list, normalised(ident(name), types[i], typ)+" AS "+ident(name))
		order = append(order, ident(name))
	}
	if len(columns) == 0 {
		return nil, errors.New("the SELECT keeps no column; expected at least a target and a feature")
	}
	if err := checkNames(namesIn(columns)); err != nil {
		return nil, err
	}
	number := ident(RowColumn)
	if row >= 0 {
		order = append([]string{number}, order...)
	} else {
		number = "row_number() OVER (ORDER BY " + strings.Join(order, ", ") + ")"
	}
	list = append(list, number+" AS "+ident(RowColumn))
	err = s.writeParquet(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+subquery(query)+" ORDER BY "+strings.Join(order, ", "), out)
	return columns, sqlError(err)
}

// sqlError is DuckDB's message about a user's statement; where it is about a value, only its kind, since it would repeat
// the value.
func sqlError(err error) error {
	if err == nil {
		return nil
	}
	message := strings.TrimSpace(err.Error())
	for _, kind := range []string{"Parser Error", "Binder Error", "Catalog Error", "Permission Error", "Syntax Error"} {
		if strings.HasPrefix(message, kind) {
			return errors.New(message)
		}
	}
	if kind, _, found := strings.Cut(message, ":"); found && strings.HasSuffix(kind, "Error") && !strings.Contains(message, "Out of Memory") {
		return fmt.Errorf("%s on some value (DuckDB's message is not shown because it would repeat the value)", kind)
	}
	return err
}

func namesIn(columns []ColumnInfo) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}
