package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/report"
)

func exportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "export VIEW",
		GroupID: groupLook,
		Short:   "Write a view of the figures for other tools, as CSV or a JSON object a line",
		Long: `Writes the rows of a view, all of one state of the tables, whatever comes meanwhile.
docs/views.md says what each view and column holds; --list names them. A file is there
under its name only when it is whole.`,
		Example: `  baton export --list
  baton export v_leads --out leads.csv
  baton export v_stage_history --format ndjson | jq .stage
  baton export --reference > views.md`,
		Args: between(0, "VIEW"),
	}
	flags := cmd.Flags()
	flags.String("format", "", "how to write: csv or ndjson; of --list: table or json (default csv, table)")
	out := flags.String("out", "", "file to write to (default what is shown)")
	list := flags.Bool("list", false, "name the views and their columns instead")
	reference := flags.Bool("reference", false, "print the page that says what every column holds; no running system is needed")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *reference {
			_, err := cmd.OutOrStdout().Write(report.ViewsPage())
			return err
		}
		do, formats := func(c *call) error { return c.export(args[0], *out) }, []string{formatCSV, fileNDJSON}
		switch {
		case *list && len(args) == 0:
			do, formats = (*call).views, []string{formatTable, formatJSON}
		case *list:
			return misused(cmd, "--list names all views; leave %s out", args[0])
		case len(args) == 0:
			return misused(cmd, "VIEW is missing; baton export --list names them")
		}
		if f := flags.Lookup("format"); !f.Changed {
			if err := f.Value.Set(formats[0]); err != nil {
				return err
			}
		}
		return client(do, formats...)(cmd, args)
	}
	return cmd
}

func (c *call) views() error {
	got, err := feedbackv1.NewReportServiceClient(c.conn).ListViews(c.ctx, &feedbackv1.ListViewsRequest{})
	if err != nil {
		return err
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, got)
	}
	for i, v := range got.GetViews() {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%s: %s\n\n", cell(v.GetName()), cell(v.GetText()))
		t := table{head: []string{"COLUMN", "TYPE", "WHAT IT HOLDS"}, most: 70}
		for _, col := range v.GetColumns() {
			t.add(col.GetName(), col.GetType(), col.GetText())
		}
		if err := t.write(out); err != nil {
			return err
		}
	}
	return nil
}

// export writes a view to a file, or to who looks.
func (c *call) export(view, path string) error {
	stream, err := feedbackv1.NewReportServiceClient(c.conn).ExportView(c.ctx, &feedbackv1.ExportViewRequest{View: view})
	if err != nil {
		return answered(err, c.server)
	}
	if path == "" {
		_, err := c.exportTo(c.cmd.OutOrStdout(), stream)
		return err
	}
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) // #nosec G304 -- the file that was asked for
	if err != nil {
		return fault.New(fault.Invalid, "--out: the file cannot be written: %w", err)
	}
	rows, err := c.exportTo(f, stream)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	_, err = fmt.Fprintf(c.cmd.ErrOrStderr(), "%s of %s are in %s.\n", counted(rows, "row", "rows"), cell(view), path)
	return err
}

func (c *call) exportTo(w io.Writer, stream grpc.ServerStreamingClient[feedbackv1.ExportViewResponse]) (rows int64, err error) {
	out := bufio.NewWriter(w)
	write := ndjsonRow
	table := newCSVWriter(out)
	if c.format == formatCSV {
		write = func(_ io.Writer, _ []string, row []json.RawMessage) error { return csvRow(table, row) }
	}
	var names []string
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return rows, errors.Join(table.flush(), out.Flush())
		}
		if err != nil {
			return rows, errors.Join(answered(err, c.server), out.Flush())
		}
		for _, col := range m.GetColumns() {
			names = append(names, col.GetName())
		}
		if c.format == formatCSV && len(m.GetColumns()) > 0 {
			if err := table.write(names...); err != nil {
				return rows, err
			}
		}
		for _, text := range m.GetRows() {
			var row []json.RawMessage
			if err := json.Unmarshal([]byte(text), &row); err != nil || len(row) != len(names) {
				return rows, fault.New(fault.Corrupt, "a row of the view cannot be read; is the server of another version?")
			}
			if err := write(out, names, row); err != nil {
				return rows, err
			}
			rows++
		}
	}
}

// ndjsonRow writes a row as an object on one line, in the columns' order.
func ndjsonRow(w io.Writer, names []string, row []json.RawMessage) error {
	for i, v := range row {
		before := ','
		if i == 0 {
			before = '{'
		}
		if _, err := fmt.Fprintf(w, "%c%q:%s", before, names[i], v); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "}\n")
	return err
}

// csvRow writes a row; what is null is empty.
func csvRow(w *csvWriter, row []json.RawMessage) error {
	cells := make([]string, len(row))
	for i, v := range row {
		switch {
		case string(v) == "null":
		case v[0] == '"':
			if err := json.Unmarshal(v, &cells[i]); err != nil {
				return err
			}
		default:
			cells[i] = string(v)
		}
	}
	return w.write(cells...)
}
