# SPDX-License-Identifier: GPL-2.0-only
# sphinx-build -W -n Documentation/guide build/guide
project = "iopmem"
highlight_language = "none"
