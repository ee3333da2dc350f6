package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	"github.com/leadbaton/baton/services/audit"
)

func verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "verify",
		GroupID: groupLook,
		Short:   "Derive every decision of the log again, and check chains, signatures and trees",
		Long: `Read the whole log from the running system and check it here, in this process:

  every decision is made again from what the log held at its basis, and must come
  out the same; every record must carry the signature of the service that may
  write it, follow the last one of its subject, and fit the signed checkpoints,
  also the one that was kept away from the data directory.

What is wrong is named with its stream and sequence. Ends with status 0 only if
nothing is. A system that found its log damaged can still be verified: it runs
read-only.`,
		Example: `  baton verify
  baton verify --from 2026-03-01T00:00:00Z
  baton verify --format json`,
		Args: exactly(),
		RunE: client(func(c *call) error {
			opt, err := verifyOptions(c.cmd)
			if err != nil {
				return err
			}
			progress := c.cmd.ErrOrStderr()
			if isTerminal(progress) {
				opt.Progress = func(stream string, seq uint64) { fmt.Fprintf(progress, "\r%s %s", stream, grouped(int64(seq))) }
			}
			result, err := audit.Verify(c.ctx, audit.Remote{Client: auditv1.NewAuditServiceClient(c.conn)}, opt)
			if isTerminal(progress) {
				fmt.Fprint(progress, "\r\x1b[K")
			}
			if err != nil {
				return answered(err, c.server)
			}
			if c.format == formatJSON {
				err = writeJSON(c.cmd.OutOrStdout(), result)
			} else {
				err = writeVerified(c.cmd.OutOrStdout(), result)
			}
			if err == nil && !result.Whole() {
				return fmt.Errorf("the log is not whole: %s", counted(int64(len(result.Findings))+result.More, "finding", "findings"))
			}
			return err
		}),
	}
	cmd.Flags().String("from", "", "derive only decisions recorded from then on")
	cmd.Flags().String("to", "", "derive only decisions recorded before then")
	return cmd
}

func verifyOptions(cmd *cobra.Command) (opt audit.Options, err error) {
	from, to, err := spanFlags(cmd)
	if err != nil {
		return opt, err
	}
	if from != nil {
		opt.From = from.AsTime()
	}
	if to != nil {
		opt.To = to.AsTime()
	}
	return opt, nil
}

func writeVerified(out io.Writer, r *audit.Result) error {
	var f facts
	f.add("Log", r.Ledger)
	f.add("Events", grouped(r.Events)+" (chain, signature and tree of each)")
	f.add("Decisions", fmt.Sprintf("%s derived again, %s differ", grouped(r.Decisions), grouped(r.Differ)))
	f.add("Agreements", counted(r.Agreements, "version", "versions"))
	f.add("Deliveries", fmt.Sprintf("%s in %s, %s not worked yet", grouped(r.Deliveries), counted(r.Records, "record", "records"), grouped(r.Unworked)))
	f.add("Checkpoints", grouped(r.Checkpoints)+" compared")
	if err := f.write(out); err != nil {
		return err
	}
	if r.Whole() {
		fmt.Fprintln(out, "\nThe log is whole.")
		return nil
	}
	fmt.Fprintln(out, "\nThe log is NOT whole:")
	for _, finding := range r.Findings {
		fmt.Fprintf(out, "  %s %d: %s\n", finding.Stream, finding.Seq, plain(finding.What))
	}
	if r.More > 0 {
		fmt.Fprintf(out, "  and %s more\n", grouped(r.More))
	}
	return nil
}
