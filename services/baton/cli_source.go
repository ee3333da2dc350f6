package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

func sourceCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "source",
		GroupID: groupSet,
		Short:   "Where leads come from: connect a tool, map it, pause it",
		Long: `Sources are where leads come from. Each has an address of its own at the door,
POST /hooks/NAME, which the tool gets as its webhook. A fresh system has one, web.

To connect a tool:

  baton source presets                        the tools that have a name here
  baton source add forms --preset typeform --secret file:typeform.secret
  baton source test forms body.json           what would be made of a body
  baton source map forms                      what was found in what came

A tool without a preset maps itself; what is unsure is kept and shown as "needs
mapping". docs/sources.md says more.`,
	}, sourceList(), sourceShow(), sourcePresets(), sourceAdd(), sourceTest(), sourceMap(), sourceRotate(),
		sourceState("pause", "Hold what comes until the source is resumed", `Pauses a source. Its address goes on answering 200 and keeps what comes; nothing is
worked until the source is resumed. Bodies can be read for 14 days unless
--intake-retention of baton up says otherwise: resume it before.`, intakev1.SourceState_SOURCE_STATE_PAUSED),
		sourceState("resume", "Work what was held, and what comes from now on", `Resumes a source that was paused or removed. What was held is worked first to last,
as if it came now.`, intakev1.SourceState_SOURCE_STATE_UNSPECIFIED),
		sourceState("remove", "Take a source out of use", `Removes a source. Nothing of it is lost: for a day its address still answers 200
and holds what comes, so that a tool that was forgotten is seen; after that it
answers 410, which makes most tools stop. baton source resume takes it back.`, intakev1.SourceState_SOURCE_STATE_REMOVED),
		sourceRename())
}

func (c *call) intake() intakev1.IntakeServiceClient { return intakev1.NewIntakeServiceClient(c.conn) }

func sourceList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the sources and whether they are signed",
		Long: `Lists the sources. What comes from one that is not signed could have been sent by
anybody who knows the address, and is shown as such.`,
		Example: `  baton source list`,
		Args:    exactly(),
		RunE: client(func(c *call) error {
			list, err := c.intake().ListSources(c.ctx, &intakev1.ListSourcesRequest{})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, list)
			}
			t := table{head: []string{"SOURCE", "STATE", "TOOL", "SIGNED", "TOKEN IN ADDRESS", "ID"}}
			for _, s := range list.GetSources() {
				signed := "unsigned"
				if s.GetSigned() {
					signed = "signed"
				}
				t.add(s.GetName(), stateWord(s.GetState()), dash(s.GetPreset()), signed, yesNo(s.GetToken()), s.GetSourceId())
			}
			return t.write(out)
		}),
	}
}

func stateWord(s intakev1.SourceState) string {
	switch s {
	case intakev1.SourceState_SOURCE_STATE_PAUSED:
		return "paused"
	case intakev1.SourceState_SOURCE_STATE_REMOVED:
		return "removed"
	}
	return "takes leads"
}

func sourceShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show one source in full",
		Long: `Shows a source, by its name or one that it had before: its address, how deliveries
are verified, what was settled about its mapping. Secrets and tokens are never
shown; they are not here.`,
		Example: `  baton source show web
  baton source show forms --format json`,
		Args: exactly("NAME"),
		RunE: client(func(c *call) error {
			got, err := c.intake().GetSource(c.ctx, &intakev1.GetSourceRequest{Source: c.args[0]})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), got)
			}
			return writeSource(c.cmd.OutOrStdout(), got.GetSource(), got.GetPath(), got.GetUrl())
		}),
	}
}

// writeSource shows a source as facts, one a line: with the whole address where
// the system knows it, else with what stands behind the door's.
func writeSource(w io.Writer, src *intakev1.SourceDeclared, path, url string) error {
	var f facts
	f.add("Source", src.GetName())
	f.add("Address", "POST "+cmp.Or(url, path)+tokenHint(src, path))
	f.add("State", stateWord(src.GetState())+since(src.GetStateSince()))
	f.add("Tool", src.GetPreset())
	f.add("Deliveries", verifiedBy(src))
	f.add("Secret", src.GetVerification().GetSecretRef())
	f.add("Handshake", src.GetHandshake())
	f.add("Region of numbers", src.GetRegion())
	for _, t := range src.GetFormerTokens() {
		f.add("Former token", "taken until "+stamp(t.GetEndsAt()))
	}
	f.add("Former names", strings.Join(src.GetFormerNames(), ", "))
	for _, field := range src.GetMapping().GetFields() {
		f.add("Settled: "+field.GetField(), strings.Join(field.GetPaths(), ", "))
	}
	f.add("Version", fmt.Sprint(src.GetVersion()))
	f.add("Id", src.GetSourceId())
	return f.write(w)
}

func tokenHint(src *intakev1.SourceDeclared, path string) string {
	if len(src.GetTokenHash()) == 0 || strings.Count(path, "/") > 2 {
		return ""
	}
	return "/TOKEN (the token was shown once; baton source rotate gives a new one)"
}

func since(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return " since " + stamp(t)
}

func verifiedBy(src *intakev1.SourceDeclared) string {
	v := src.GetVerification()
	if v == nil {
		return "unsigned: anybody who knows the address can send"
	}
	return "signed (" + v.GetAlgorithm() + " in " + v.GetHeader() + ")"
}

func sourcePresets() *cobra.Command {
	return &cobra.Command{
		Use:   "presets",
		Short: "The tools that have a name here",
		Long: `Lists the tools whose signatures and bodies are known by name. A tool that is not
among them can be connected as well: it maps itself.`,
		Example: `  baton source presets`,
		Args:    exactly(),
		RunE: client(func(c *call) error {
			list, err := c.intake().ListPresets(c.ctx, &intakev1.ListPresetsRequest{})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), list)
			}
			t := table{head: []string{"PRESET", "TOOL", "SIGNS", "HANDSHAKE"}}
			for _, p := range list.GetPresets() {
				t.add(p.GetName(), p.GetTitle(), yesNo(p.GetVerification() != nil), dash(p.GetHandshake()))
			}
			return t.write(c.cmd.OutOrStdout())
		}),
	}
}

func sourceAdd() *cobra.Command {
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Connect a tool: answers the address to give it",
		Long: `Makes a source known and prints its address, with the words of what to do on the
tool's side. The secret itself is never given here, only where it is kept: a file
that baton up can read, or a variable of its environment.

A tool that cannot sign gets a random token in its address with --with-token. It is
shown once and kept nowhere.`,
		Example: `  baton source add forms --preset typeform --secret file:/etc/baton/typeform.secret
  baton source add landing --with-token --region DE
  baton source add shop --algorithm hmac-sha256 --header X-Signature --encoding hex --secret env:SHOP_SECRET`,
		Args: exactly("NAME"),
	}
	f := c.Flags()
	f.SortFlags = false
	preset := f.String("preset", "", "the tool, as baton source presets lists it (default none: the tool maps itself)")
	secret := f.String("secret", "", "where the secret is that the tool signs with: file:PATH or env:NAME")
	token := f.Bool("with-token", false, "put a random token into the address")
	region := f.String("region", "", "region of telephone numbers without a country code, such as DE")
	handshake := f.String("handshake-secret", "", "where the handshake's own secret is, for tools that have one: file:PATH or env:NAME")
	v := &intakev1.Verification{}
	f.StringVar(&v.Algorithm, "algorithm", "", "without a preset: hmac-sha256, hmac-sha1, sha256, ed25519, equal or basic")
	f.StringVar(&v.Header, "header", "", "without a preset: header that carries the signature")
	f.StringVar(&v.Encoding, "encoding", "", "without a preset: hex or base64")
	f.StringVar(&v.Prefix, "prefix", "", "without a preset: text in front of the signature, such as sha256=")
	f.StringVar(&v.Signed, "signed", "", "without a preset: text that is signed, such as {timestamp}.{body} (default {body})")
	f.StringVar(&v.Timestamp, "timestamp", "", "without a preset: header of the timestamp that is signed")
	origins := f.StringArray("origin", nil, "origin whose scripts may post here, such as https://www.example.com; may be repeated")
	redirects := f.StringArray("redirect", nil, "exact address to send a browser to after a form; may be repeated")
	honeypots := f.StringArray("honeypot", nil, "field that people cannot see and that marks spam when filled; may be repeated")
	key := keyFlag(c)
	c.RunE = client(func(c *call) error {
		src := &intakev1.SourceDeclared{
			Name: c.args[0], Preset: *preset, Region: strings.ToUpper(*region), HandshakeRef: *handshake,
			Origins: *origins, Redirects: *redirects, Honeypots: *honeypots,
		}
		if *secret != "" || v.GetAlgorithm() != "" || v.GetHeader() != "" {
			v.SecretRef, src.Verification = *secret, v
		}
		added, err := c.intake().AddSource(c.ctx, &intakev1.AddSourceRequest{Source: src, Token: *token, IdempotencyKey: orNewKey(*key)})
		if err != nil {
			return err
		}
		out := c.cmd.OutOrStdout()
		if c.format == formatJSON {
			return writeMessage(out, added)
		}
		if err := writeSource(out, added.GetSource(), added.GetPath(), added.GetUrl()); err != nil {
			return err
		}
		if *token {
			fmt.Fprintln(out, "\nThe token in the address is shown this once. Keep it with the tool.")
		}
		return c.setup(out, added.GetSource())
	})
	return c
}

// setup says what to do on the tool's side.
func (c *call) setup(out io.Writer, src *intakev1.SourceDeclared) error {
	list, err := c.intake().ListPresets(c.ctx, &intakev1.ListPresetsRequest{})
	if err != nil {
		return err
	}
	signs := false
	for _, p := range list.GetPresets() {
		if p.GetName() == src.GetPreset() {
			signs = p.GetVerification() != nil
			fmt.Fprintf(out, "\n%s\n", plain(p.GetSetup()))
		}
	}
	switch {
	case src.GetVerification() != nil:
	case signs:
		fmt.Fprintln(out, "\nThis tool can sign and does not have to here: add it with --secret to refuse what others send.")
	case len(src.GetTokenHash()) == 0:
		fmt.Fprintf(out, "\nAnybody who knows this address can send to it. baton source rotate %s puts a token into it.\n", src.GetName())
	}
	return nil
}

func sourceRotate() *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Give the address a new token; the old one works a while longer",
		Long: `Gives a source's address a new token and prints it, once. The token before it, or
the address without one, is taken for seven days more, so that nothing is lost
while the tool is changed. --until ends that earlier, and what was taken before it
as well: a token that got into wrong hands ends at once with --until now.`,
		Example: `  baton source rotate landing
  baton source rotate landing --until 2026-09-01
  baton source rotate landing --until now`,
		Args: exactly("NAME"),
	}
	until := c.Flags().String("until", "", "until when the token before is taken (default seven days from now)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		ends := timestamppb.New(timeZero)
		if *until != "now" {
			var err error
			if ends, err = instantFlag(cmd, "until"); err != nil {
				return err
			}
		}
		return client(func(c *call) error {
			got, err := c.intake().RotateSource(c.ctx, &intakev1.RotateSourceRequest{Source: c.args[0], FormerEndsAt: ends})
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), got)
			}
			before := "The one before is taken until " + stamp(got.GetFormerEndsAt()) + "; none from earlier is taken for longer."
			if *until == "now" {
				before = "None from before is taken any more."
			}
			_, err = fmt.Fprintf(c.cmd.OutOrStdout(), "POST %s\n\nThe token is shown this once. %s\n", cmp.Or(got.GetUrl(), got.GetPath()), before)
			return err
		})(cmd, args)
	}
	return c
}

// sourceState is a command that changes what an address does.
func sourceState(name, short, long string, state intakev1.SourceState) *cobra.Command {
	c := &cobra.Command{
		Use:     name + " NAME",
		Short:   short,
		Long:    long,
		Example: "  baton source " + name + " forms --reason \"the form is being rebuilt\"",
		Args:    exactly("NAME"),
	}
	reason := c.Flags().String("reason", "", "why; it stands in the log")
	c.RunE = client(func(c *call) error {
		return c.change(&intakev1.ChangeSourceRequest{Name: c.args[0], Source: &intakev1.SourceDeclared{State: state}, Fields: []string{"state"}, Reason: *reason})
	})
	return c
}

func sourceRename() *cobra.Command {
	c := &cobra.Command{
		Use:   "rename NAME NEW",
		Short: "Give a source another name; its address goes on working",
		Long: `Gives a source another name. The address under the name before goes on working, and
no other source can take that name.`,
		Example: `  baton source rename forms contact-form`,
		Args:    exactly("NAME", "NEW"),
	}
	reason := c.Flags().String("reason", "", "why; it stands in the log")
	c.RunE = client(func(c *call) error {
		return c.change(&intakev1.ChangeSourceRequest{Name: c.args[0], Source: &intakev1.SourceDeclared{Name: c.args[1]}, Fields: []string{"name"}, Reason: *reason})
	})
	return c
}

// change changes a source and shows it as it is then.
func (c *call) change(req *intakev1.ChangeSourceRequest) error {
	got, err := c.intake().ChangeSource(c.ctx, req)
	if err != nil {
		return err
	}
	if c.format == formatJSON {
		return writeMessage(c.cmd.OutOrStdout(), got)
	}
	return writeSource(c.cmd.OutOrStdout(), got.GetSource(), "/hooks/"+got.GetSource().GetName(), got.GetUrl())
}
