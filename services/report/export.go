package report

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/grpc"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// rowsAtOnce is how many rows one message of an export carries.
const rowsAtOnce = 200

// instantFormat is how instants are exported.
const instantFormat = "2006-01-02T15:04:05.000Z"

// ListViews lists the views that other tools may read.
func (r *Reports) ListViews(context.Context, *feedbackv1.ListViewsRequest) (*feedbackv1.ListViewsResponse, error) {
	out := &feedbackv1.ListViewsResponse{}
	for _, v := range viewList {
		out.Views = append(out.Views, v.message())
	}
	return out, nil
}

// ExportView streams the rows of a view, all of one state of the tables, ordered by its
// first two columns.
func (r *Reports) ExportView(req *feedbackv1.ExportViewRequest, stream grpc.ServerStreamingServer[feedbackv1.ExportViewResponse]) error {
	v, ok := viewNamed(req.GetView())
	if !ok {
		return fault.New(fault.NotFound, "view: there is no view %q; baton export --list shows all there are", req.GetView())
	}
	return r.store.export(stream.Context(), v, viewer(stream.Context()), stream.Send)
}

// export calls send with the rows of a view. Who may not see others sees them as one.
func (s *Store) export(ctx context.Context, v view, viewer string, send func(*feedbackv1.ExportViewResponse) error) error {
	return s.fault("read", s.snapshot(ctx, func(tx *sql.Tx) error {
		_, at, err := s.position(ctx, tx)
		if err != nil {
			return err
		}
		query := "SELECT "
		for i, c := range v.columns {
			if i > 0 {
				query += ", "
			}
			query += c.name
		}
		rows, err := tx.QueryContext(ctx, query+" FROM "+v.name+" ORDER BY 1, 2")
		if err != nil {
			return err
		}
		defer rows.Close()
		out := &feedbackv1.ExportViewResponse{Columns: v.message().GetColumns(), Sequence: at}
		values, into := make([]any, len(v.columns)), make([]any, len(v.columns))
		for i := range values {
			into[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return err
			}
			for i, c := range v.columns {
				if values[i], err = c.exported(values[i], viewer); err != nil {
					return fmt.Errorf("%s.%s: %w", v.name, c.name, err)
				}
			}
			row, err := json.Marshal(values)
			if err != nil {
				return err
			}
			if out.Rows = append(out.Rows, string(row)); len(out.GetRows()) == rowsAtOnce {
				if err := send(out); err != nil {
					return err
				}
				out = &feedbackv1.ExportViewResponse{Sequence: at}
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return send(out)
	}))
}

// exported is a value as it is exported, the same whatever database keeps it.
func (c viewColumn) exported(v any, viewer string) (any, error) {
	if b, ok := v.([]byte); ok {
		v = string(b)
	}
	if v == nil {
		return nil, nil
	}
	switch c.kind {
	case typeText:
		if s, ok := v.(string); ok {
			if c.people && viewer != "" && s != "" && s != viewer {
				s = othersKey
			}
			return s, nil
		}
	case typeInteger:
		if n, ok := v.(int64); ok {
			return n, nil
		}
	case typeBoolean:
		switch v := v.(type) {
		case bool:
			return v, nil
		case int64:
			return v != 0, nil
		}
	case typeNumber:
		switch v := v.(type) {
		case float64:
			return v, nil
		case string:
			return strconv.ParseFloat(v, 64)
		}
	case typeInstant:
		switch v := v.(type) {
		case time.Time:
			return v.UTC().Format(instantFormat), nil
		case string:
			t, err := time.Parse(time.RFC3339Nano, v)
			return t.UTC().Format(instantFormat), err
		}
	}
	return nil, fmt.Errorf("a column of type %s holds a %T", c.kind, v)
}
