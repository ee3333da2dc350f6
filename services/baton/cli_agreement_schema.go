package main

import (
	"github.com/spf13/cobra"

	"github.com/leadbaton/baton/services/agreement"
)

func agreementSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the document, for editors",
		Long: `Prints the JSON Schema (draft 2020-12) of the agreement, by which editors complete
keys and mark mistakes. It is made by the same code that reads the document. Keep
it beside the agreement and name it in the agreement's first line:

  # yaml-language-server: $schema=` + agreement.SchemaName + `

No running system is needed.`,
		Example: `  baton agreement schema > ` + agreement.SchemaName,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(agreement.Schema())
			return err
		},
	}
}

func agreementReference() *cobra.Command {
	return &cobra.Command{
		Use:   "reference",
		Short: "Print the page that says what every key means",
		Long: `Prints, as Markdown, what every key of the agreement means, whether it must be there
and what to write, with an example each. It is made by the same code that reads the
document; docs/agreement.md is this page. No running system is needed.`,
		Example: `  baton agreement reference > agreement.md`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(agreement.Reference())
			return err
		},
	}
}
