package report

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// dueSoon is what counts as this week: seven days from now.
const dueSoon = 7 * 24 * time.Hour

// nurturing answers a page of the leads that are with marketing, the one first that
// is due first, and counts all of them by when they are due. What is due at this
// very moment is overdue.
func (s *Store) nurturing(ctx context.Context, req *leadv1.ListNurturingRequest, now time.Time) (*leadv1.ListNurturingResponse, error) {
	size := pageSize(req.GetPageSize())
	where, args := []string{"nurture_due IS NOT NULL"}, []any{}
	if req.GetPageToken() != "" {
		due, id, err := readPageToken(req.GetPageToken())
		if err != nil {
			return nil, err
		}
		where = append(where, "(nurture_due > ? OR (nurture_due = ? AND lead_id > ?))")
		args = append(args, due, due, id)
	}
	if req.GetOverdue() {
		where = append(where, "nurture_due <= ?")
		args = append(args, nanos(now))
	}
	query := "SELECT " + strings.Join(names(new(leadRow).columns()), ", ") + " FROM leads WHERE " + strings.Join(where, " AND ") +
		" ORDER BY nurture_due, lead_id LIMIT ?"
	out := &leadv1.ListNurturingResponse{Now: timestamppb.New(now)}
	var found []*leadRow
	err := s.snapshot(ctx, func(tx *sql.Tx) (err error) {
		if found, err = s.rowsOf(ctx, tx, query, append(args, size+1)...); err != nil {
			return err
		}
		count := func(condition string) string {
			return "CAST(COALESCE(SUM(CASE WHEN " + condition + " THEN 1 ELSE 0 END), 0) AS BIGINT)"
		}
		return tx.QueryRowContext(ctx, s.dialect.places("SELECT "+count("nurture_due <= ?")+", "+count("nurture_due > ? AND nurture_due <= ?")+", "+count("nurture_due > ?")+
			" FROM leads WHERE nurture_due IS NOT NULL"), nanos(now), nanos(now), nanos(now.Add(dueSoon)), nanos(now.Add(dueSoon))).
			Scan(&out.Overdue, &out.DueThisWeek, &out.DueLater)
	})
	if err != nil {
		return nil, s.fault("read", err)
	}
	if len(found) > size {
		last := found[size-1]
		out.NextPageToken = pageToken(nanos(last.nurtureDue), last.s.ID)
		found = slices.Delete(found, size, len(found))
	}
	for _, r := range found {
		out.Leads = append(out.Leads, r.listed())
	}
	return out, nil
}
