from fairaudit.statistics.paired import (
    _tables as pair_tables,
    _marginals as marginals,
    _reweight as reweight,
    _swap as swap,
    Codes,
)
