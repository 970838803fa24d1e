# SPDX-License-Identifier: GPL-2.0-only
# sphinx-build -W -n Documentation/guide build/guide
project = "iopmem"
highlight_language = "none"
html_title = "iopmem: user's guide"
html_theme = "alabaster"
html_theme_options = {"page_width": "1060px", "show_relbar_bottom": True}
html_static_path = ["custom.css"]
html_show_copyright = False
# The package iopmem-doc has the sources beside the pages.
html_copy_source = False
# "--map=mem" would become a dash, and quoted messages would not be what the log says.
smartquotes = False
