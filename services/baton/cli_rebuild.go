package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

func rebuildCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rebuild",
		GroupID: groupRun,
		Short:   "Fold the read model anew from the log, while the old one serves",
		Long: `Folds every event of the log into tables beside those that serve, and puts them in
their place in one transaction: until then every report is the old one. What comes
meanwhile is not lost. It is for when the tables are in doubt; an update of the program
brings them up to date by itself. SQLite and PostgreSQL alike; the tables aside are a
file in the folder for what is temporary, about as large as read.db.`,
		Example: "  baton rebuild",
		Args:    exactly(),
		RunE: client(func(c *call) error {
			stream, err := feedbackv1.NewReportServiceClient(c.conn).Rebuild(c.ctx, &feedbackv1.RebuildRequest{})
			if err != nil {
				return answered(err, c.server)
			}
			for {
				m, err := stream.Recv()
				switch {
				case errors.Is(err, io.EOF):
					return nil
				case err != nil:
					return answered(err, c.server)
				case m.GetDone() && c.format == formatJSON:
					return writeMessage(c.cmd.OutOrStdout(), m)
				case m.GetDone():
					_, err := fmt.Fprintf(c.cmd.OutOrStdout(), "The read model is folded anew from %s.\n", counted(int64(m.GetFolded()), "event", "events"))
					return err
				case c.format != formatJSON:
					fmt.Fprintf(c.cmd.ErrOrStderr(), "folded %s of %s\n", grouped(int64(m.GetFolded())), grouped(int64(m.GetOf())))
				}
			}
		}),
	}
}
